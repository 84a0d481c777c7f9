import { randomUUID } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

// A provider that accepts everything: the cheapest one possible, the same for the service and the floor.
const server = createServer((request, response) => {
  request.resume().once('end', () => {
    const body = request.url?.startsWith('/token')
      ? { access_token: 'token', token_type: 'bearer', expires_in: 3600 }
      : { id: randomUUID(), login: 'anna', real_name: 'Anna', default_email: 'anna@example.org' }
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body))
  })
}).listen(0, '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo
  process.send?.(`http://127.0.0.1:${port}`)
})
