// Follows the counter. The browser itself reconnects, and sends the last id that it saw.
"use strict";

const counter = document.querySelector("#counter");
const number = document.querySelector("#number");
const watching = document.querySelector("#watching");
const connections = document.querySelector("#connections");
const state = document.querySelector("#status");
const toggle = document.querySelector("#toggle");

let source = null;

function start() {
  connections.textContent = "0";
  source = new EventSource(counter.dataset.source + location.search);
  source.addEventListener("open", () => {
    state.textContent = "connected";
    connections.textContent = String(Number(connections.textContent) + 1);
  });
  source.addEventListener("tick", (event) => {
    const tick = JSON.parse(event.data);
    number.textContent = tick.number;
    watching.textContent = tick.watching;
  });
  source.addEventListener("error", () => {
    if (source.readyState === EventSource.CLOSED) stop("finished");
    else state.textContent = "coming back";
  });
  toggle.textContent = "Stop";
}

function stop(why) {
  source.close();
  source = null;
  state.textContent = why;
  watching.textContent = "0";
  toggle.textContent = "Start";
}

toggle.addEventListener("click", () => (source === null ? start() : stop("stopped")));
