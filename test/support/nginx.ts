import { spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { end, eventually, findProgram, freePort } from './process.ts'

const program = findProgram('nginx')

/** For `t.test(name, { skip: withoutNginx }, …)`: false if nginx is installed, otherwise the reason. */
export const withoutNginx = program === undefined ? 'nginx is not installed' : false

/**
 * Starts nginx as a balancer in front of these ports of loopback, with kept-alive connections on both sides and without
 * repeating a request that may have been sent. It ends when `test` ends.
 * @returns its URL, and its error log so far
 */
export async function startNginx(
  test: Pick<Test, 'teardown'>,
  backends: readonly (number | string)[],
): Promise<{ url: string; errors: () => string }> {
  if (program === undefined) throw new Error('nginx is not installed.')
  const folder = await mkdtemp(join(tmpdir(), 'auth-movies-nginx-'))
  test.teardown(() => rm(folder, { recursive: true, force: true }))
  const port = await freePort()
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
  const configuration = `
daemon off;
worker_processes 2;
pid ${folder}/nginx.pid;
error_log stderr error;
events { worker_connections 512; }
http {
  access_log off;
  ${temporary.map((name) => `${name}_temp_path ${folder}/${name};`).join(' ')}
  upstream service {
    ${backends.map((backend) => `server 127.0.0.1:${backend} fail_timeout=1s;`).join(' ')}
    keepalive 16;
  }
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass http://service;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header X-Forwarded-For $remote_addr;
    }
  }
}
`
  await writeFile(join(folder, 'nginx.conf'), configuration)
  const child = spawn(program, ['-p', folder, '-e', 'stderr', '-c', join(folder, 'nginx.conf')], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  test.teardown(() => end(child, 'SIGTERM'))
  let errors = ''
  child.stderr.setEncoding('utf8').on('data', (chunk) => (errors += String(chunk)))
  const url = `http://127.0.0.1:${port}`
  await eventually(async () => {
    if (child.exitCode !== null) return
    await fetch(url)
  })
  if (child.exitCode !== null) throw new Error(errors)
  return { url, errors: () => errors }
}
