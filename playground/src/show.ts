// The tab of `cnn play` that puts an image through the network, where torch is installed.

import type { Ask } from './panel'
import { element } from './views'

export function showTab(ask: Ask, uri: () => string): HTMLElement {
  const around = element('div', '', 'show')
  const choose = element('input')
  choose.type = 'file'
  choose.accept = 'image/*'
  choose.setAttribute('aria-label', 'An image')
  const said = element('p', 'Choose an image: it goes through the network, with the weights it begins with.')
  const frame = element('iframe')
  frame.setAttribute('sandbox', 'allow-scripts')
  frame.title = 'What the network does with the image'
  frame.hidden = true
  choose.onchange = async () => {
    const [file] = choose.files ?? []
    if (!file) return
    said.textContent = 'It goes through the network …'
    const bytes = new Uint8Array(await file.arrayBuffer())
    let binary = ''
    for (let at = 0; at < bytes.length; at += 8192)
      binary += String.fromCharCode(...bytes.subarray(at, at + 8192))
    const params = { uri: uri(), image: btoa(binary) }
    const { page, why_not } = await ask<{ page?: string; why_not?: string }>('dotcnn/show', params)
    said.textContent = why_not ?? file.name
    frame.hidden = !page
    if (page) frame.src = page
  }
  around.append(choose, said, frame)
  return around
}
