// The search runs in a Worker, which browsers refuse to pages that are opened from a folder. There,
// the same script runs in a hidden frame. (MkDocs Material asks another host for such a stand-in.)
"use strict"
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(address) {
      super()
      this.frame = document.createElement("iframe")
      this.frame.hidden = true
      document.body.append(this.frame)
      const inside = this.frame.contentWindow
      const load = (url) =>
        new Promise((done, failed) => {
          const script = inside.document.createElement("script")
          script.onload = done
          script.onerror = failed
          script.src = url
          inside.document.head.append(script)
        })
      inside.postMessage = (data) => this.dispatchEvent(new MessageEvent("message", { data }))
      inside.importScripts = (...urls) => urls.reduce((before, url) => before.then(() => load(url)), Promise.resolve())
      this.ready = load(new URL(address, location).href)
    }

    postMessage(data) {
      this.ready.then(() => this.frame.contentWindow.dispatchEvent(new MessageEvent("message", { data })))
    }

    terminate() {
      this.frame.remove()
    }
  }
}
