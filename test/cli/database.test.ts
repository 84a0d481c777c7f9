import { writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { TLSSocket } from 'node:tls'
import { Client } from 'pg'
import type { Test } from 'tap'
import t from 'tap'
import { selfSigned } from '../providers/self-signed.ts'
import { emptyDatabase, withName } from '../support/database.ts'
import { emptyFolder, freePorts, run } from '../support/npm-start.ts'
import { listenOnLoopback } from '../support/process.ts'
import { assertFailed, runCli, runHere, strictEnv } from './run-cli.ts'

/** A server that accepts PostgreSQL's request for TLS and shows a self-signed certificate. */
async function untrusted(t: Test): Promise<number> {
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.once('data', () => {
      socket.write('S')
      new TLSSocket(socket, { isServer: true, ...selfSigned }).on('error', () => {})
    })
  })
  t.teardown(() => server.close())
  return await listenOnLoopback(server)
}

/** A server that ends each connection as soon as it is encrypted. */
async function endsAfterTls(t: Test): Promise<number> {
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.once('data', () => {
      socket.write('S')
      const encrypted = new TLSSocket(socket, { isServer: true, ...selfSigned })
      encrypted.on('error', () => {}).once('secure', () => encrypted.end())
    })
  })
  t.teardown(() => server.close())
  return await listenOnLoopback(server)
}

async function readOnly(t: Test): Promise<string> {
  const url = await emptyDatabase(t)
  const { pathname } = new URL(url)
  const client = new Client({ connectionString: withName(url, 'postgres') })
  await client.connect()
  await client.query(`ALTER DATABASE ${pathname.slice(1)} SET default_transaction_read_only = on`)
  await client.end()
  return url
}

const commands = [['migrate'], ['site', 'list'], ['keys', 'list']]

t.test('a command that cannot use the database says why in one sentence', async (t) => {
  const url = new URL(await emptyDatabase(t))
  const address = (change: (other: URL) => void) => {
    const other = new URL(url)
    change(other)
    return other.href
  }
  const tls = `postgresql://auth:secret@127.0.0.1:${await untrusted(t)}/auth?sslmode=verify-full`
  const cases: readonly (readonly [string, RegExp])[] = [
    [tls, /^The certificate of the database is not accepted \(self-signed certificate.*sslrootcert/],
    [address((other) => other.searchParams.set('sslmode', 'require')), /^The database offers no TLS/],
    [address((other) => (other.password = 'wrong')), /^The database refuses the connection .*password/],
    [address((other) => (other.pathname = '/nowhere')), /^The database refuses the connection .*nowhere/],
  ]
  for (const [databaseUrl, sentence] of cases)
    for (const command of commands) {
      const ran = await runHere(command, strictEnv(databaseUrl))
      assertFailed(t, ran, sentence)
      t.notMatch(ran.stderr, /secret|wrong|test-only/)
    }
})

t.test('NODE_EXTRA_CA_CERTS makes an authority of your own good', async (t) => {
  const authorities = join(await emptyFolder(t), 'authorities.pem')
  await writeFile(authorities, selfSigned.cert)
  const tls = `postgresql://auth:secret@127.0.0.1:${await endsAfterTls(t)}/auth?sslmode=verify-full`
  const refused = await runCli(['migrate'], strictEnv(tls))
  t.match(refused.stderr, /^The certificate of the database is not accepted/)
  const accepted = await runCli(['migrate'], { ...strictEnv(tls), NODE_EXTRA_CA_CERTS: authorities })
  t.match(accepted.stderr, /^The database cannot be used now/, 'it comes past the certificate')
})

t.test('with a read-only database neither the service nor a migration starts', async (t) => {
  const url = await readOnly(t)
  const sentence = /The database takes no writes: .*default_transaction_read_only.*primary/
  assertFailed(t, await runHere(['migrate'], strictEnv(url)), sentence)
  for (const mode of ['development', 'production']) {
    const started = run(t, 'src/main.ts', {
      folder: await emptyFolder(t),
      ports: await freePorts(),
      env: { ...strictEnv(url), YANDEX_CLIENT_ID: 'id', YANDEX_CLIENT_SECRET: 'secret', NODE_ENV: mode },
    })
    t.equal(await started.ended, 1)
    t.match(started.errors(), new RegExp(`^${sentence.source}[^\\n]*\\n$`))
  }
})
