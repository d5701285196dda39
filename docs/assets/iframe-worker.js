// Opened from a folder, a browser starts no worker, which the search needs. This one runs in a hidden frame instead.
if (location.protocol === "file:") window.Worker = class extends EventTarget {
  constructor(address) {
    super();
    const frame = document.createElement("iframe");
    frame.hidden = true;
    frame.title = "search";
    document.body.append(frame);
    const inner = frame.contentWindow;
    const send = (to, data) => setTimeout(() => to.dispatchEvent(new MessageEvent("message", { data })));
    inner.postMessage = (data) => send(this, data);
    inner.importScripts = (...scripts) => scripts.reduce((before, script) => before.then(() => load(script)), Promise.resolve());
    const load = (script) => new Promise((done, failed) => {
      const tag = inner.document.createElement("script");
      Object.assign(tag, { src: script, onload: done, onerror: failed });
      inner.document.body.append(tag);
    });
    const ready = load(new URL(address, document.baseURI).href);
    this.postMessage = (data) => ready.then(() => send(inner, data));
    this.terminate = () => frame.remove();
  }
};
