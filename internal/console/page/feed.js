// The stream of events: read, watched, and opened again with growing pauses.

const silence = 12000 // ms without a byte after which a stream counts as lost
const firstPause = 500
const longestPause = 10000

export class Feed {
  #url
  #on
  #abort = null
  #timer = 0
  #attempt = 0

  // on has hello, terminals, payments, overview, live for the stream's events, and
  // link(state, {wait, why}) for "connecting", "live" and "lost".
  constructor(url, on) {
    this.#url = url
    this.#on = on
  }

  async open() {
    clearTimeout(this.#timer)
    this.#abort?.abort()
    const abort = new AbortController()
    this.#abort = abort
    this.#on.link('connecting', {})
    let why = 'The connection to the bridge is lost.'
    let watch = 0
    const heard = () => {
      clearTimeout(watch)
      watch = setTimeout(() => abort.abort('silent'), silence)
    }
    try {
      heard()
      const answer = await fetch(this.#url, { signal: abort.signal, headers: { Accept: 'text/event-stream' }, cache: 'no-store' })
      if (answer.status === 401) {
        location.reload()
        return
      }
      if (!answer.ok) {
        const body = await answer.json().catch(() => ({}))
        why = body.problem ?? `The bridge answered with ${answer.status}.`
        throw new Error(why)
      }
      await this.#read(answer.body, heard)
    } catch {
      // said below
    }
    clearTimeout(watch)
    if (this.#abort !== abort) return // another one was opened meanwhile
    const pause = Math.min(longestPause, firstPause * 2 ** this.#attempt++)
    const wait = pause * (0.75 + Math.random() / 2)
    this.#on.link('lost', { wait, why })
    this.#timer = setTimeout(() => this.open(), wait)
  }

  async #read(body, heard) {
    const reader = body.pipeThrough(new TextDecoderStream()).getReader()
    let buffer = ''
    for (;;) {
      const { value, done } = await reader.read()
      if (done) return
      heard()
      buffer += value
      for (let end; (end = buffer.indexOf('\n\n')) >= 0; buffer = buffer.slice(end + 2)) {
        this.#dispatch(buffer.slice(0, end))
      }
    }
  }

  #dispatch(block) {
    let event = ''
    let data = ''
    for (const line of block.split('\n')) {
      if (line.startsWith('event: ')) event = line.slice(7)
      else if (line.startsWith('data: ')) data = line.slice(6)
    }
    this.#on[event]?.(JSON.parse(data))
    if (event === 'live') {
      this.#attempt = 0
      this.#on.link('live', {})
    }
  }
}
