// Sends events with Segment's own SDK, and says what became of them.
//
//     node send.mjs HOST EVENTS RETRIES TIMEOUT_MS
//
// prints {"delivered": number, "dropped": {reason: number}, "waits": [seconds]}. Waits of the SDK are noted and cut
// short, and its clock moves on by them; its other timers are left alone.
import { createRequire } from 'node:module'

const [host, events, retries, timeout] = process.argv.slice(2)
const never = 2 ** 31 - 1
const waits = []
const { setTimeout: start, Date: { now } } = globalThis
let ahead = 0

Date.now = () => now() + ahead
globalThis.setTimeout = (call, delay, ...rest) => {
  const isWait = delay > 0 && delay !== never && /\bsleep\b[^\n]*publisher/.test(new Error().stack)
  if (!isWait) return start(call, delay, ...rest)
  waits.push(delay / 1000)
  return start(() => { ahead += delay; call(...rest) }, 1)
}

const { Analytics } = createRequire(import.meta.url)('@segment/analytics-node')
const analytics = new Analytics({
  host,
  writeKey: 'a-write-key',
  maxRetries: Number(retries),
  flushAt: Number(events),
  flushInterval: never,
  httpRequestTimeout: Number(timeout),
})

let delivered = 0
const dropped = {}
const answered = Array.from({ length: Number(events) }, (_, number) => new Promise((resolve) => {
  analytics.track({ userId: 'somebody', event: `event-${number}` }, (error) => {
    if (error) {
      const reason = String(error.reason?.message ?? error.reason ?? error.message ?? error)
      dropped[reason] = (dropped[reason] ?? 0) + 1
    } else {
      delivered += 1
    }
    resolve()
  })
}))
await Promise.all(answered)
console.log(JSON.stringify({ delivered, dropped, waits }))
process.exit(0)
