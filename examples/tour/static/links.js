// Asks twice a second how the links are, and shows it.
"use strict";

const panel = document.querySelector("#links");
const rows = document.querySelector("#rows");
const celsius = document.querySelector("#celsius");
const heard = document.querySelector("#heard");
const state = document.querySelector("#status");

function row(link) {
  const line = document.createElement("tr");
  const cells = [link.name, link.state, link.reason, link.ups, link.counters.handled];
  cells.forEach((text, index) => {
    const cell = line.appendChild(document.createElement("td"));
    cell.textContent = text;
    if (index > 2) cell.className = "number";
  });
  return line;
}

async function look() {
  try {
    const seen = await (await fetch(panel.dataset.source)).json();
    celsius.textContent = seen.weather.latest === null ? "–" : seen.weather.latest.celsius.toFixed(1);
    heard.textContent = seen.weather.heard;
    rows.replaceChildren(...seen.links.map(row));
    state.textContent = "up to date";
  } catch {
    state.textContent = "the server does not answer";
  }
  setTimeout(look, 500);
}

look();
