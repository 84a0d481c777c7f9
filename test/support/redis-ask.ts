import { Redis } from 'ioredis'

/** Asks one server by a connection of its own. */
export async function askServer<T>(port: number, question: (client: Redis) => Promise<T>): Promise<T> {
  const client = new Redis(port, '127.0.0.1', { retryStrategy: () => null, commandTimeout: 1_000 })
  client.on('error', () => {})
  try {
    return await question(client)
  } finally {
    client.disconnect()
  }
}
