"""Files: each user's own. A file lies under its random id; its name is only ever shown."""

import hashlib
import mimetypes
import uuid
from pathlib import Path, PureWindowsPath
from typing import Annotated

from slipstream import APIRouter, Depends, Form, HTTPException, Query, Response, UploadFile, status
from slipstream.concurrency import run_in_threadpool
from slipstream.responses import FileResponse
from sqlalchemy import func, select

from tour.dependencies import CurrentUser, SessionDep, SettingsDep
from tour.models import StoredFile
from tour.schemas import FileOut, Page, Paging

router = APIRouter(prefix="/files", tags=["files"])

MAX_UPLOAD = 10 * 1024 * 1024
"""Bytes in the body of an upload; the whole form counts."""
CHUNK = 256 * 1024


async def get_own_file(file_id: uuid.UUID, user: CurrentUser, session: SessionDep) -> StoredFile:
    """Find the file; those of others do not exist for the caller."""
    file = await session.get(StoredFile, file_id)
    if file is None or file.owner_id != user.id:
        raise HTTPException(status.HTTP_404_NOT_FOUND, "No such file")
    return file


OwnFile = Annotated[StoredFile, Depends(get_own_file)]


@router.post(
    "",
    status_code=status.HTTP_201_CREATED,
    response_model=FileOut,
    max_body_size=MAX_UPLOAD,
    responses={413: {"description": "Larger than 10 MiB"}},
)
async def upload_file(
    file: UploadFile,
    user: CurrentUser,
    session: SessionDep,
    settings: SettingsDep,
    response: Response,
    note: Annotated[str, Form(max_length=200)] = "",
) -> StoredFile:
    file_id = uuid.uuid4()
    path = settings.uploads / file_id.hex
    try:
        size, digest = await save(file, path)
        stored = StoredFile(
            id=file_id,
            owner_id=user.id,
            name=shown_name(file.filename),
            note=note,
            size=size,
            sha256=digest,
        )
        session.add(stored)
        await session.commit()
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    response.headers["Location"] = router.url_path_for("download_file", file_id=file_id)
    return stored


@router.get("")
async def list_files(paging: Annotated[Paging, Query()], user: CurrentUser, session: SessionDep) -> Page[FileOut]:
    mine = select(StoredFile).where(StoredFile.owner_id == user.id)
    total = await session.scalar(select(func.count()).select_from(mine.subquery()))
    page = mine.order_by(StoredFile.created_at, StoredFile.id)
    page = page.limit(paging.limit).offset(paging.offset)
    return Page(
        items=[FileOut.model_validate(file) for file in await session.scalars(page)],
        total=total or 0,
        limit=paging.limit,
        offset=paging.offset,
    )


@router.get("/{file_id}", response_class=FileResponse)
async def download_file(file: OwnFile, settings: SettingsDep) -> FileResponse:
    """Send the bytes as an attachment, so that no browser runs them as a page of ours."""
    return FileResponse(
        settings.uploads / file.id.hex,
        filename=file.name,
        media_type=mimetypes.guess_type(file.name)[0] or "application/octet-stream",
    )


@router.delete("/{file_id}", status_code=status.HTTP_204_NO_CONTENT)
async def delete_file(file: OwnFile, session: SessionDep, settings: SettingsDep) -> None:
    await session.delete(file)
    await session.commit()
    (settings.uploads / file.id.hex).unlink(missing_ok=True)


async def save(file: UploadFile, path: Path) -> tuple[int, str]:
    """Copy an upload to the disk, piece by piece; return its size and SHA-256."""
    digest = hashlib.sha256()
    size = 0
    with await run_in_threadpool(path.open, "xb") as target:
        while chunk := await file.read(CHUNK):
            await run_in_threadpool(target.write, chunk)
            digest.update(chunk)
            size += len(chunk)
    return size, digest.hexdigest()


def shown_name(name: str | None) -> str:
    """What to call an upload: its last path component, printable, not hidden, of sensible length."""
    last = PureWindowsPath(name or "").name.lstrip(". ")  # knows slashes of both kinds, and drives
    printable = "".join(character for character in last if character.isprintable())
    return printable[-255:] or "unnamed"
