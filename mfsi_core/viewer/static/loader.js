// Starts a bundled page, which holds its modules as text: each becomes a blob, those that it imports first. Chromium
// lets workers of pages from file: load nothing, so a worker begins plain, with the texts, and makes blobs of its own.
{
  const start = (texts, entry) => {
    const urls = new Map();
    const resolved = (path, from) => new URL(path, `http://x/${from}`).pathname.slice(1);
    const blob = (...parts) => URL.createObjectURL(new Blob(parts, { type: "text/javascript" }));
    const worker = (name) =>
      blob(`const early = []; self.onmessage = (event) => early.push(event);
        const start = ${start}; start(${JSON.stringify(texts)}, "${name}").then(() => early.forEach((event) => self.onmessage(event)));`);
    const urlOf = (name) => {
      if (!urls.has(name)) {
        const linked = (line) =>
          line
            .replace(/(\bfrom |\bimport )"(\.[^"]+)"/g, (_, word, path) => `${word}"${urlOf(resolved(path, name))}"`)
            .replace(/new Worker\(new URL\(`(\.[^$`]+)\${location\.search}`, import\.meta\.url\), { type: "module" }\)/g, (_, path) => `new Worker("${worker(resolved(path, name))}")`);
        const text = texts[name].replace(/^(?!\s*(?:\/\/|\*)).*$/gm, linked); // comments are left alone
        urls.set(name, blob(text, `\n//# sourceURL=${name}`));
      }
      return urls.get(name);
    };
    return import(urlOf(entry));
  };
  const held = document.getElementById("modules");
  start(JSON.parse(held.textContent), held.dataset.entry);
}
