import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { serveBench } from './child.ts'

// A provider that accepts everything: the cheapest one possible, the same for all that are measured. The code is the access
// token and the person's id, so that the bench decides who logs in.
const server = createServer((request, response) => {
  let body = ''
  request
    .setEncoding('utf8')
    .on('data', (chunk: string) => (body += chunk))
    .once('end', () => {
      const answer = request.url?.startsWith('/token')
        ? {
            access_token: new URLSearchParams(body).get('code') ?? '',
            token_type: 'bearer',
            expires_in: 3600,
          }
        : personOf(request.headers.authorization?.split(' ')[1] ?? '')
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer))
    })
}).listen(0, '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo
  serveBench(`http://127.0.0.1:${port}`)
})

function personOf(id: string) {
  return { id, login: id, real_name: 'Anna', default_email: `${id}@example.org` }
}
