// "Try it" under a spec opens the playground in its place. It is loaded by the first click, not before.
"use strict"
{
  const FROM_A_FOLDER =
    "This page was opened from a folder, and browsers start no Python there. Serve the site, for instance with " +
    "python -m http.server -d build/site, or run cnn play."

  const button = (text, act) => {
    const made = document.createElement("button")
    made.type = "button"
    made.className = "md-button"
    made.textContent = text
    made.onclick = act
    return made
  }

  /** The reader's choice of light or dark, for the frame too. */
  const scheme = () => (document.body.dataset.mdColorScheme === "slate" ? "dark" : "light")

  function open(link) {
    const around = link.parentElement
    const spec = around.previousElementSibling?.matches(".highlight") ? around.previousElementSibling : null
    const place = document.createElement("div")
    place.className = "playground"
    if (location.protocol === "file:") {
      place.append(FROM_A_FOLDER)
      around.replaceWith(place)
      return
    }
    const address = new URL(link.href)
    address.searchParams.set("embedded", "")
    const frame = document.createElement("iframe")
    frame.title = "Playground"
    frame.allow = "fullscreen; clipboard-write"
    frame.style.colorScheme = scheme()
    frame.src = address.href
    new MutationObserver(() => (frame.style.colorScheme = scheme())).observe(document.body, {
      attributeFilter: ["data-md-color-scheme"],
    })
    const bar = document.createElement("p")
    bar.append(button("Whole screen", () => frame.requestFullscreen()))
    if (spec) {
      bar.append(
        button("Close", () => {
          place.replaceWith(around)
          spec.hidden = false
          link.focus()
        }),
      )
      spec.hidden = true
    }
    place.append(frame, bar)
    around.replaceWith(place)
  }

  for (const link of document.querySelectorAll("a.try-it")) {
    link.addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return
      event.preventDefault()
      open(link)
    })
    if (link.matches(".at-once")) open(link)
  }
}
