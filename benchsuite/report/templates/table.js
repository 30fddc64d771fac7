// Sorting and filtering of tables that are complete and readable without it.
"use strict";
(() => {
  const cellKey = (row, column) => {
    const cell = row.cells[column];
    const exact = cell.dataset.sort;
    if (exact !== undefined) return Number.isNaN(Number(exact)) ? exact : Number(exact);
    const text = cell.textContent.trim();
    return text === "–" || text === "" ? null : text;
  };

  const compare = (a, b) => {
    if (typeof a === "number" && typeof b === "number") return a - b;
    return String(a).localeCompare(String(b), undefined, { numeric: true });
  };

  // What is missing stays last in both directions.
  const sortBy = (table, column, direction) => {
    const body = table.tBodies[0];
    const keyed = Array.from(body.rows, (row, place) => ({ row, place, key: cellKey(row, column) }));
    keyed.sort((a, b) => {
      if (a.key === null || b.key === null) return (a.key === null) - (b.key === null) || a.place - b.place;
      return direction * compare(a.key, b.key) || a.place - b.place;
    });
    body.append(...keyed.map((each) => each.row));
    for (const head of table.tHead.rows[0].cells) head.removeAttribute("aria-sort");
    table.tHead.rows[0].cells[column].setAttribute("aria-sort", direction > 0 ? "ascending" : "descending");
  };

  for (const table of document.querySelectorAll("table[data-sortable]")) {
    Array.from(table.tHead.rows[0].cells).forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const now = head.getAttribute("aria-sort");
        const first = head.classList.contains("n") ? -1 : 1;
        sortBy(table, column, now === null ? first : now === "ascending" ? -1 : 1);
      });
    });
  }

  const control = (label, element) => {
    const wrapper = document.createElement("label");
    wrapper.append(label, element);
    return wrapper;
  };

  for (const table of document.querySelectorAll("table[data-filterable]")) {
    const rows = Array.from(table.tBodies[0].rows);
    if (rows.length < 2) continue;
    const panel = document.createElement("div");
    panel.className = "filters";
    const search = document.createElement("input");
    search.type = "search";
    search.placeholder = "name, weights, …";
    panel.append(control("Find ", search));
    const choices = [];
    Array.from(table.tHead.rows[0].cells).forEach((head, column) => {
      if (head.dataset.filter === undefined) return;
      const values = [...new Set(rows.map((row) => row.cells[column].textContent.trim()))].sort();
      if (values.length < 2) return;
      const select = document.createElement("select");
      select.append(new Option("all", ""), ...values.map((value) => new Option(value, value)));
      choices.push({ column, select });
      panel.append(control(`${head.dataset.filter} `, select));
    });
    const told = document.createElement("output");
    panel.append(told);
    const apply = () => {
      const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      for (const row of rows) {
        const text = row.textContent.toLowerCase();
        row.hidden = !(words.every((word) => text.includes(word)) && choices.every(
          ({ column, select }) => select.value === "" || row.cells[column].textContent.trim() === select.value));
        shown += !row.hidden;
      }
      told.textContent = shown === rows.length ? "" : `${shown} of ${rows.length} shown`;
    };
    panel.addEventListener("input", apply);
    const place = document.getElementById(table.dataset.filterable);
    place.append(panel);
  }
})();
