// Joins a room and shows what is said there. Whatever others wrote goes to the page as text, never as HTML.
"use strict";

const join = document.querySelector("#join");
const talk = document.querySelector("#talk");
const say = document.querySelector("#say");
const log = document.querySelector("#log");
const members = document.querySelector("#members");
const state = document.querySelector("#status");

const KEPT_LINES = 200;
let socket = null;

function show(kind, text, who) {
  const line = document.createElement("li");
  line.className = kind;
  if (who !== undefined) {
    const name = document.createElement("b");
    name.textContent = who;
    line.append(name, " ");
  }
  line.append(text); // a string becomes a text node
  log.append(line);
  while (log.children.length > KEPT_LINES) log.firstElementChild.remove();
  log.scrollTop = log.scrollHeight;
}

function receive(frame) {
  switch (frame.type) {
    case "message":
      show("message", frame.text, frame.name);
      break;
    case "joined":
    case "left":
      show("presence", `${frame.name} ${frame.type}`);
      members.textContent = frame.members.join(", ");
      break;
    case "error":
      show("error", frame.detail);
      break;
  }
}

function connect(room, name) {
  const url = new URL(`${talk.dataset.path}/${encodeURIComponent(room)}/ws`, location.href);
  url.protocol = url.protocol.replace("http", "ws");
  url.searchParams.set("name", name);

  socket = new WebSocket(url);
  socket.addEventListener("open", () => {
    talk.hidden = false;
    state.textContent = `connected to ${room}`;
    setOpen(true);
    say.elements.text.focus();
  });
  socket.addEventListener("message", (event) => receive(JSON.parse(event.data)));
  socket.addEventListener("close", (event) => {
    talk.hidden = false;
    state.textContent = `disconnected (${event.code}${event.reason && `: ${event.reason}`})`;
    members.textContent = "";
    setOpen(false);
  });
}

function setOpen(open) {
  for (const element of join.elements) element.disabled = open;
  for (const element of say.elements) element.disabled = !open;
}

join.addEventListener("submit", (event) => {
  event.preventDefault();
  log.replaceChildren();
  connect(join.elements.room.value, join.elements.name.value);
});

say.addEventListener("submit", (event) => {
  event.preventDefault();
  socket.send(JSON.stringify({ text: say.elements.text.value }));
  say.reset();
});
