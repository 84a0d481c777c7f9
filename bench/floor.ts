import type { AddressInfo } from 'node:net'
import formbody from '@fastify/formbody'
import fastify from 'fastify'
import { Pool } from 'undici'

// As many requests as a login has, on the same Fastify, without doing anything in them: no store, no database, no
// signature. No service with these parts can be faster.
const pool = new Pool(process.env.BENCH_PROVIDER_URL ?? '', { connections: 100 })
const app = fastify()
await app.register(formbody)
const tokens = {
  access_token: 'a'.repeat(600),
  refresh_token: 'r'.repeat(400),
  token_type: 'Bearer',
  expires_in: 900,
}

app.post('/api/v1/oauth/authorize-url/', async () => ({
  state: 's'.repeat(43),
  authorize_url: 'https://provider.example/',
}))
app.get('/api/v1/oauth/callback/yandex', (request, reply) =>
  reply.redirect(`https://site.example/return?${request.url.split('?')[1] ?? ''}&provider=yandex`, 303),
)
app.post('/api/v1/oauth/authorize/', async () => {
  const token = await pool.request({ path: '/token', method: 'POST', body: 'code=x' })
  await token.body.json()
  const profile = await pool.request({ path: '/info', method: 'GET' })
  await profile.body.json()
  return tokens
})
app.post('/api/v1/oauth/refresh/', async () => tokens)
await app.listen({ host: '127.0.0.1', port: 0 })
const { port } = app.server.address() as AddressInfo
process.send?.(`http://127.0.0.1:${port}`)
