"""The page that shows how the links are, and keeps up with them."""

PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Echo bots</title>
<style>
  body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem; }
  table { border-collapse: collapse; width: 100%; margin-bottom: 2rem; }
  th, td { text-align: left; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid #ddd; vertical-align: top; }
  .state::before { content: "●"; margin-right: .4rem; color: #b58900; }
  .up::before { color: #2a8c2a; } .failed::before { color: #c0392b; } .closed::before { color: #888; }
  #lost { color: #c0392b; visibility: hidden; }
</style>
<h1>Echo bots</h1>
<h2>Links that we dial</h2>
<table><thead><tr><th>Link<th>State<th>Why<th>Ups<th>Received<th>Handled</thead><tbody id="links"></tbody></table>
<h2>Bots that are connected</h2>
<table><thead><tr><th>Bot<th>Adapter<th>Who dialled</thead><tbody id="bots"></tbody></table>
<h2>What the platform has heard</h2>
<table><tbody id="heard"></tbody></table>
<p id="lost" role="status">The bot does not answer.</p>
<script>
  const fill = (id, rows) => document.getElementById(id).replaceChildren(...rows.map(cells => {
    const row = document.createElement("tr");
    for (const cell of cells) {
      const td = row.appendChild(document.createElement("td"));
      td.textContent = cell.text ?? cell;
      if (cell.kind) td.className = "state " + cell.kind;
    }
    return row;
  }));
  async function look() {
    try {
      const seen = await (await fetch("state")).json();
      fill("links", seen.links.map(link => [link.name, { text: link.state, kind: link.state }, link.reason,
        link.ups, link.counters.received, link.counters.handled]));
      fill("bots", seen.bots.map(bot => [bot.id, bot.adapter, bot.dialled_by]));
      fill("heard", seen.heard.map(([via, text]) => [via, text]).reverse());
      document.getElementById("lost").style.visibility = "hidden";
    } catch {
      document.getElementById("lost").style.visibility = "visible";
    }
    setTimeout(look, 500);
  }
  look();
</script>
</html>
"""
