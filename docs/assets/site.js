// What the theme leaves out for those who hear a page, or go through it by keys.
addEventListener("load", () => {
  document.querySelector("[data-md-component=search]")?.setAttribute("aria-label", "Search");
  for (const box of document.querySelectorAll(".md-typeset__scrollwrap")) box.tabIndex = 0;
  for (const th of document.querySelectorAll("th:empty")) th.replaceWith(document.createElement("td"));
});
