// Light and dark theme: the colours of drawings, and the button that switches; without it the system decides.

/** A colour of the style sheet by the name of its custom property. */
export const colourOf = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** Colours of drawings on the page as it is now. */
export const ink = () => Object.fromEntries(["ink", "ground", "soft", "mark", "line"].map((name) => [name, colourOf(`--${name}`)]));

/** Colours of exported figures. */
export const PRINTED = { ink: "#1f2933", ground: "#ffffff", soft: "#5c6873", mark: "#c8641b", line: "#c5ccd3" };

/** Lets a button switch; what was chosen is kept for all pages of this place. */
export function themeButton(button) {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const root = document.documentElement;
  const other = () => ((root.dataset.theme ?? (dark.matches ? "dark" : "light")) === "dark" ? "light" : "dark");
  const name = () => {
    button.textContent = other() === "dark" ? "Dark" : "Light";
    button.title = `switch to ${other()} colours`;
  };
  const kept = remembered();
  if (kept) root.dataset.theme = kept;
  name();
  onTheme(name);
  button.onclick = () => {
    root.dataset.theme = other();
    try {
      localStorage.setItem("theme", root.dataset.theme);
    } catch {
      // a page from a file may have no storage
    }
    document.dispatchEvent(new Event("theme"));
  };
}

function remembered() {
  try {
    return localStorage.getItem("theme");
  } catch {
    return null;
  }
}

/** Calls when the page turns light or dark. */
export function onTheme(turned) {
  document.addEventListener("theme", turned);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", turned);
}
