// What runs inside the panel.

import { Panel, type Ask } from '../../../playground/src/panel'
import '../../../playground/src/style.css'

declare function acquireVsCodeApi(): { postMessage(message: unknown): void }

const host = acquireVsCodeApi()
const waiting = new Map<number, (result: unknown) => void>()
let count = 0

const ask: Ask = (method, params) =>
  new Promise((resolve) => {
    const id = ++count
    waiting.set(id, resolve as (result: unknown) => void)
    host.postMessage({ id, method, params })
  })

const [totals, tabs, view] = ['totals', 'tabs', 'view'].map((id) => document.getElementById(id)!)
const panel = new Panel(ask, totals, tabs, view, (chosen, reveal) => {
  if (reveal && chosen?.line != null) host.postMessage({ line: chosen.line })
})

addEventListener('message', ({ data }) => {
  if (data.id !== undefined) {
    waiting.get(data.id)?.(data.result)
    waiting.delete(data.id)
  } else if (data.open) {
    panel.open(data.open)
    void panel.refresh()
  } else if (data.refresh) void panel.refresh()
  else if (data.chooseAt) void panel.chooseAt(data.chooseAt)
})
host.postMessage({ method: 'ready' })
void ask<typeof panel.gallery>('dotcnn/gallery', {}).then((found) => (panel.gallery = found ?? []))
