import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { workerData } from 'node:worker_threads'

// Listens without accepting: the thread sleeps until `gate[0]` wakes it, so that the kernel's queue stays full. Its port
// goes to `gate[1]`.
const { host, port, gate }: { host: string; port: number; gate: Int32Array } = workerData
const server = createServer((socket) => socket.on('error', () => {}).resume())
server.listen({ host, port, backlog: 1 })
await once(server, 'listening')
const address: AddressInfo | string | null = server.address()
Atomics.store(gate, 1, typeof address === 'object' ? (address?.port ?? 0) : 0)
Atomics.notify(gate, 1)
Atomics.wait(gate, 0, 0)
