// What can only be mended in the browser; the pages' own marks are mended when they are built.

// The button reads "Search" and its keys; a shorter label would hide them from voice control.
document.querySelector(".search-button-field")?.removeAttribute("aria-label");

// The theme lets the keyboard reach what scrolls sideways, but measures only on load and on
// resize, when the content of a closed part has no width. So opening one counts as a resize.
document.addEventListener("click", (event) => {
  if (event.target.closest("summary, .admonition-title")) {
    window.dispatchEvent(new Event("resize"));
  }
});
