import { randomBytes } from 'node:crypto'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { Server } from 'node:net'
import type { Test } from 'tap'
import t from 'tap'
import { listen, StartError, startService } from '../src/service.ts'
import { testDatabase } from './support/database.ts'
import { freePort } from './support/process.ts'

const variables = ['MANAGEMENT_HOST', 'MANAGEMENT_PORT'] as const

/** A server on a machine where some addresses cannot be listened on; remembers what it was asked. */
function listener(failures: Readonly<Record<string, string>>) {
  const asked: string[] = []
  return {
    asked,
    async listen({ host }: { readonly host: string }) {
      asked.push(host)
      const code = failures[host]
      if (code !== undefined) throw Object.assign(new Error(code), { code })
    },
  }
}

for (const code of ['EAFNOSUPPORT', 'EADDRNOTAVAIL'])
  t.test(`:: becomes 0.0.0.0 where the kernel has no IPv6 (${code})`, async (t) => {
    const server = listener({ '::': code })
    await listen(server, { host: '::', port: 9464 }, variables)
    t.strictSame(server.asked, ['::', '0.0.0.0'])
  })

t.test('any other failure to listen names the variables, and nothing else is tried', async (t) => {
  for (const [host, code, sentence] of [
    ['::', 'EADDRINUSE', 'Port 9464 is taken: stop what listens there, or set MANAGEMENT_PORT to another.'],
    ['::', 'EACCES', ':::9464 cannot be listened on (EACCES): check MANAGEMENT_HOST and MANAGEMENT_PORT.'],
    [
      '192.0.2.1',
      'EADDRNOTAVAIL',
      '192.0.2.1:9464 cannot be listened on (EADDRNOTAVAIL): check MANAGEMENT_HOST and MANAGEMENT_PORT.',
    ],
  ] as const) {
    const server = listener({ [host]: code })
    await t.rejects(listen(server, { host, port: 9464 }, variables), new StartError(sentence))
    t.strictSame(server.asked, [host])
  }
  const both = listener({ '::': 'EAFNOSUPPORT', '0.0.0.0': 'EADDRINUSE' })
  await t.rejects(listen(both, { host: '::', port: 9464 }, variables), /Port 9464 is taken/)
})

/** A whole service on free ports. */
async function startOnPorts(t: Test, env: Readonly<Record<string, string>>) {
  const { url } = await testDatabase(t)
  const [port, managementPort] = [await freePort(), await freePort()]
  const service = await startService({
    NODE_ENV: 'development',
    LOG_LEVEL: 'silent',
    DATABASE_URL: url,
    SECRET_KEYS: randomBytes(32).toString('base64'),
    PORT: String(port),
    MANAGEMENT_PORT: String(managementPort),
    MAIL_CLIENT_ID: 'id',
    MAIL_CLIENT_SECRET: 'secret',
    ...env,
  })
  t.teardown(() => service.close())
  return { port, managementPort }
}

t.test('the public port listens before the management port can say that the service is ready', async (t) => {
  const listening: number[] = []
  const note = (message: unknown) => {
    const server = typeof message === 'object' && message !== null && 'server' in message && message.server
    const address = server instanceof Server ? server.address() : null
    if (typeof address === 'object' && address !== null) listening.push(address.port)
  }
  const channel = 'tracing:net.server.listen:asyncEnd'
  subscribe(channel, note)
  t.teardown(() => unsubscribe(channel, note))
  const { port, managementPort } = await startOnPorts(t, {})
  const ours = listening.filter((one) => one === port || one === managementPort)
  // The first two are of the search for free ports.
  t.strictSame(ours.slice(2), [port, managementPort])
})

t.test('MANAGEMENT_HOST gives the management port its own host', async (t) => {
  const { port, managementPort } = await startOnPorts(t, { MANAGEMENT_HOST: '127.0.0.2' })
  t.equal((await fetch(`http://127.0.0.1:${port}/openapi.json`)).status, 200)
  t.equal((await fetch(`http://127.0.0.2:${managementPort}/health/ready`)).status, 200)
  await t.rejects(fetch(`http://127.0.0.1:${managementPort}/health/ready`), 'and at no other')
})
