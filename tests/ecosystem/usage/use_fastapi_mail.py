"""A mail sent from a background task, with an uploaded file."""

from fastapi import BackgroundTasks, FastAPI, UploadFile
from fastapi.testclient import TestClient
from fastapi_mail import ConnectionConfig, FastMail, MessageSchema, MessageType


def test_mail_with_an_upload():
    mail = FastMail(ConnectionConfig(
        MAIL_USERNAME="me", MAIL_PASSWORD="x", MAIL_FROM="me@example.org", MAIL_PORT=25, MAIL_SERVER="localhost",
        MAIL_STARTTLS=False, MAIL_SSL_TLS=False, SUPPRESS_SEND=1,
    ))  # fmt: skip
    app = FastAPI()

    @app.post("/mail")
    async def send(tasks: BackgroundTasks, file: UploadFile):
        message = MessageSchema(
            subject="Hi", recipients=["you@example.org"], body="there", subtype=MessageType.plain, attachments=[file]
        )
        tasks.add_task(mail.send_message, message)
        return len(message.attachments)

    with mail.record_messages() as outbox:
        assert TestClient(app).post("/mail", files={"file": ("a.txt", b"abc")}).json() == 1
    assert "you@example.org" in outbox[0]["To"]
