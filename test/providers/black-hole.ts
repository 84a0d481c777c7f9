import { once } from 'node:events'
import type { Socket } from 'node:net'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import type { Test } from 'tap'

/** An address that drops the first packet of every connection, as a host that cannot be reached does. */
export interface BlackHole {
  readonly port: number
  /** From now on it answers: a connection under way succeeds when its system repeats the packet, after a second. */
  open(): void
}

/**
 * Makes a listener unreachable by filling its queue of connections (Linux drops what does not fit).
 * @param port 0 for a free one
 */
export async function startBlackHole(t: Test, host: string, port = 0): Promise<BlackHole> {
  const gate = new Int32Array(new SharedArrayBuffer(8))
  const worker = new Worker(new URL('black-hole-worker.ts', import.meta.url), {
    workerData: { host, port, gate },
  })
  const open = () => {
    Atomics.store(gate, 0, 1)
    Atomics.notify(gate, 0)
  }
  const fillers: Socket[] = []
  t.teardown(async () => {
    open()
    for (const socket of fillers) socket.destroy()
    await worker.terminate()
  })
  await Atomics.waitAsync(gate, 1, 0).value
  const listening = Atomics.load(gate, 1)
  for (let full = false; !full; ) {
    const socket = connect({ host, port: listening })
    socket.on('error', () => {})
    fillers.push(socket)
    full = await Promise.race([once(socket, 'connect').then(() => false), sleep(300, true)])
    if (full) socket.destroy()
    if (fillers.length > 100) throw new Error('The queue of connections does not fill.')
  }
  return { port: listening, open }
}
