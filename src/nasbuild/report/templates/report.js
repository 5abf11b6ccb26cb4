// Sorting, filtering, copying and linked hovering. Without this script, the page is complete but fixed.
addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((d) => (d.open = true)));

const make = (tag, values, ...children) => {
  const node = Object.assign(document.createElement(tag), values);
  node.append(...children);
  return node;
};
const cellsOf = (row) => [...row.children];
const numberOf = (text) => (text.trim() === "" ? NaN : Number(text));

// Sorts rows by a column; numbers by value, missing ones last.
function sortRows(table, column, sign) {
  const key = (row) => cellsOf(row)[column].dataset.value ?? "";
  const rows = [...table.tBodies[0].rows];
  const numeric = rows.every((row) => key(row) === "" || Number.isFinite(numberOf(key(row))));
  rows.sort((a, b) => {
    const [x, y] = [key(a), key(b)];
    if (x === "" || y === "") return (x === "") - (y === "");
    return sign * (numeric ? x - y : x.localeCompare(y)) || a.dataset.row - b.dataset.row;
  });
  table.tBodies[0].append(...rows);
  cellsOf(table.tHead.rows[0]).forEach((th, n) => {
    if (n === column) th.setAttribute("aria-sort", sign > 0 ? "ascending" : "descending");
    else th.removeAttribute("aria-sort");
  });
}

// Returns a test for rows: a comparison such as "acc > 93", or words that must all occur.
function matcher(text, heads) {
  const compared = text.match(/^\s*(.+?)\s*(<=|>=|<|>)\s*(-?[\d.]+(?:e[-+]?\d+)?)\s*$/i);
  const column = compared && heads.findIndex((th) => th.dataset.name?.toLowerCase().startsWith(compared[1].toLowerCase()));
  if (compared && column >= 0) {
    const limit = Number(compared[3]);
    const holds = { "<": (v) => v < limit, "<=": (v) => v <= limit, ">": (v) => v > limit, ">=": (v) => v >= limit }[compared[2]];
    return (row) => holds(numberOf(cellsOf(row)[column].dataset.value));
  }
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  return (row) => words.every((word) => row.textContent.toLowerCase().includes(word));
}

async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Some browsers have no clipboard for pages from a file.
    const area = make("textarea", { value: text });
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
}

function addTools(box) {
  const table = box.querySelector("table"), heads = cellsOf(table.tHead.rows[0]), rows = [...table.tBodies[0].rows];
  const sortable = heads.map((th, n) => [th, n]).filter(([th]) => th.dataset.sort);
  const select = make("select", {}, ...sortable.map(([th, n]) => make("option", { value: n }, th.textContent)));
  for (const [th, n] of sortable) {
    const button = make("button", { type: "button", className: "sort" }, ...th.childNodes);
    th.append(button);
    button.addEventListener("click", () => {
      const first = Number(th.dataset.sort), now = th.getAttribute("aria-sort");
      const sign = now === (first > 0 ? "ascending" : "descending") ? -first : first;
      select.value = n;
      sortRows(table, n, sign);
    });
  }
  heads[0].setAttribute("aria-sort", "ascending");
  select.addEventListener("change", () => sortRows(table, Number(select.value), Number(heads[select.value].dataset.sort)));
  const example = heads.find((th) => th.dataset.name)?.dataset.name ?? "name";
  const search = make("input", { type: "search", placeholder: `words, or ${example} > 1` });
  const output = make("output", {}, `${rows.length} of ${rows.length}`);
  search.addEventListener("input", () => {
    const fits = matcher(search.value, heads);
    rows.forEach((row) => (row.hidden = !fits(row)));
    const dots = box.closest(".card").querySelectorAll("svg [data-row]");
    dots.forEach((dot) => dot.classList.toggle("out", rows.find((row) => row.dataset.row === dot.dataset.row)?.hidden));
    output.textContent = `${rows.filter((row) => !row.hidden).length} of ${rows.length}`;
  });
  box.prepend(
    make("div", { className: "tools" }, make("label", {}, "Filter ", search), output, make("label", { className: "sorting" }, "Sort by ", select)),
  );
  box.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    await copyText(button.closest("tr").dataset.json);
    button.textContent = "Copied";
    setTimeout(() => (button.textContent = "Copy JSON"), 1500);
  });
  box.querySelectorAll("[data-copy]").forEach((button) => (button.hidden = false));
  link(box.closest(".card"), rows);
}

// Pointing at a row, its dot or its drawing lights up all of them and shows the architecture beside the picture.
function link(card, rows) {
  const panel = card.querySelector(".look");
  const light = (number) => {
    card.querySelectorAll("[data-row]").forEach((one) => one.classList.toggle("lit", one.dataset.row === number));
    const row = rows.find((one) => one.dataset.row === number);
    if (!panel || !row) return;
    const arch = row.querySelector(".arch").cloneNode(true), facts = make("dl", {});
    row.querySelectorAll("td[data-label]").forEach((td) => {
      facts.append(make("div", {}, make("dt", {}, td.dataset.label), make("dd", {}, ...[...td.childNodes].map((one) => one.cloneNode(true)))));
    });
    panel.replaceChildren(make("p", { className: "look-head" }, `No. ${Number(number) + 1}`), ...arch.childNodes, facts);
    panel.querySelectorAll("details").forEach((d) => (d.open = true));
    panel.hidden = false;
  };
  for (const kind of ["pointerover", "focusin"])
    card.addEventListener(kind, (event) => {
      const one = event.target.closest("[data-row]");
      if (one) light(one.dataset.row);
    });
  card.addEventListener("click", (event) => {
    const dot = event.target.closest("svg [data-row]");
    if (dot) rows.find((row) => row.dataset.row === dot.dataset.row)?.focus();
  });
  if (rows.length) light(rows[0].dataset.row);
}

document.querySelectorAll(".architectures").forEach(addTools);
