import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { parentPort, workerData } from 'node:worker_threads'

// Listens without accepting: the thread sleeps until it is woken, so that the kernel's queue stays full.
const { host, port, gate }: { host: string; port: number; gate: Int32Array } = workerData
const server = createServer((socket) => socket.on('error', () => {}).resume())
server.listen({ host, port, backlog: 1 })
await once(server, 'listening')
const address: AddressInfo | string | null = server.address()
parentPort?.postMessage(typeof address === 'object' ? address?.port : undefined)
// The message leaves before the thread sleeps.
setImmediate(() => Atomics.wait(gate, 0, 0))
