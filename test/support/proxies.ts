import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'
import { selfSigned } from '../providers/self-signed.ts'
import { end, eventually, findProgram, freePort } from './process.ts'

/** The proxies for which deploy/proxy/ has a configuration. */
export const proxies = ['nginx', 'haproxy', 'caddy'] as const

/** One of them. */
export type Proxy = (typeof proxies)[number]

/** For `t.test(name, { skip: withoutProxy('nginx') }, …)`: false if it is installed, otherwise the reason. */
export function withoutProxy(proxy: Proxy): string | false {
  return findProgram(proxy) === undefined ? `${proxy} is not installed` : false
}

/** What the proxy runs between. */
export interface ProxyPorts {
  readonly port: string
  readonly managementPort: string
}

/**
 * Runs a proxy by its configuration of deploy/proxy/, in which only addresses, the certificate and the places of logs are
 * replaced. It ends when `test` ends.
 * @returns its URL, and its access log so far
 */
export async function startProxy(
  test: Pick<Test, 'teardown'>,
  proxy: Proxy,
  upstream: ProxyPorts,
): Promise<{ url: string; log: () => Promise<string> }> {
  const folder = await mkdtemp(join(tmpdir(), `auth-movies-${proxy}-`))
  test.teardown(() => rm(folder, { recursive: true, force: true }))
  const port = await freePort()
  const [certificate, key, both] = ['cert.pem', 'key.pem', 'both.pem'].map((name) => join(folder, name))
  await writeFile(certificate ?? '', selfSigned.cert)
  await writeFile(key ?? '', selfSigned.key)
  await writeFile(both ?? '', `${selfSigned.cert}\n${selfSigned.key}\n`)
  const replaced: Readonly<Record<Proxy, readonly (readonly [string, string])[]>> = {
    nginx: [
      ['listen 443', `listen 127.0.0.1:${port}`],
      ['/etc/nginx/login.example.pem', certificate ?? ''],
      ['/etc/nginx/login.example.key', key ?? ''],
      ['/var/log/nginx/login.example.log', join(folder, 'access.log')],
      ['/var/log/nginx/login.example.error.log', 'stderr'],
      ['127.0.0.1:3000', `127.0.0.1:${upstream.port}`],
    ],
    haproxy: [
      ['bind :443', `bind 127.0.0.1:${port}`],
      ['/etc/haproxy/login.example.pem', both ?? ''],
      ['127.0.0.1:3000', `127.0.0.1:${upstream.port}`],
      ['port 9464', `port ${upstream.managementPort}`],
    ],
    caddy: [],
  }
  const file = { nginx: 'nginx.conf', haproxy: 'haproxy.cfg', caddy: 'Caddyfile' }[proxy]
  let configuration = await readFile(
    fileURLToPath(new URL(`../../deploy/proxy/${file}`, import.meta.url)),
    'utf8',
  )
  for (const [from, to] of replaced[proxy]) {
    if (!configuration.includes(from)) throw new Error(`${file} has no ${from}.`)
    configuration = configuration.replaceAll(from, to)
  }
  const path = join(folder, file)
  await writeFile(path, proxy === 'nginx' ? whole(configuration, folder) : configuration)
  const args = {
    nginx: ['-p', folder, '-e', 'stderr', '-c', path],
    haproxy: ['-db', '-f', path],
    caddy: ['run', '--adapter', 'caddyfile', '--config', path],
  }[proxy]
  const child = spawn(findProgram(proxy) ?? proxy, args, {
    env: {
      PATH: process.env.PATH,
      HOME: folder,
      AUTH_MOVIES_NAME: `https://127.0.0.1:${port}`,
      AUTH_MOVIES_TLS: `tls ${certificate} ${key}`,
      AUTH_MOVIES_UPSTREAM: `127.0.0.1:${upstream.port}`,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  test.teardown(() => end(child, 'SIGTERM'))
  let said = ''
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (said += text))
  const url = `https://127.0.0.1:${port}`
  await eventually(async () => {
    if (child.exitCode !== null) return
    const { status } = await fetch(`${url}/.well-known/jwks.json`)
    if (status >= 500) throw new Error(`${status}: ${said}`)
  })
  if (child.exitCode !== null) throw new Error(said)
  const log = () => (proxy === 'nginx' ? readFile(join(folder, 'access.log'), 'utf8') : Promise.resolve(said))
  return { url, log }
}

/** The part of nginx's configuration that Debian brings, around a file of conf.d. */
function whole(site: string, folder: string): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
  return `daemon off;
${process.getuid?.() === 0 ? 'user root;' : ''}
pid ${folder}/nginx.pid;
events { worker_connections 512; }
http {
${temporary.map((name) => `${name}_temp_path ${folder}/${name};`).join('\n')}
${site}
}
`
}
