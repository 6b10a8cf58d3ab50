// Content security: narrows whom the page may speak to before anything else runs: itself, and the server of ?url=.
{
  const asked = new URLSearchParams(location.search).get("url");
  let origin = "";
  try {
    origin = asked ? new URL(asked, location.href).origin : "";
  } catch {
    origin = "";
  }
  const meta = document.createElement("meta");
  meta.httpEquiv = "Content-Security-Policy";
  meta.content = `connect-src 'self' data: ${/^https?:/.test(origin) ? origin : ""}`;
  document.head.append(meta);
}
