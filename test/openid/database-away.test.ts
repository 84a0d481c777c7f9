import { decodeJwt } from 'jose'
import t from 'tap'
import { openTestDatabase, testDatabase } from '../support/database.ts'
import { get, text } from '../support/login-flow.ts'
import { startTestService } from '../support/service.ts'
import { startTcpProxy } from '../support/tcp-proxy.ts'
import { logInByOpenid, paths } from './standard-client.ts'

t.test('a person whose stored name cannot be read is logged in all the same', async (t) => {
  const direct = await testDatabase(t)
  const proxy = await startTcpProxy(t, direct.url)
  const database = openTestDatabase(t, { url: proxy.through(direct.url), poolMax: 2 })
  const service = await startTestService(t, { database: { ...database, url: direct.url } })
  const logIn = () => logInByOpenid(service, service.site, { provider: 'apple' })
  const person = async () => decodeJwt(text(await logIn(), 'id_token'))
  const first = await person()
  t.match(first, { name: String, email: String })
  t.match(await person(), { sub: first.sub, name: first.name }, 'told once, and stored')

  let cut = false
  proxy.beforeRequest(/find_profile/, () => {
    cut = true
    proxy.cut()
  })
  const tokens = await logIn()
  t.ok(cut, 'the code and the session exist by then')
  const { name, ...told } = decodeJwt(text(tokens, 'id_token'))
  t.match([name, told], [undefined, { sub: first.sub, email: first.email }])
  const authorization = `Bearer ${text(tokens, 'access_token')}`
  t.match((await get(service, paths.userinfo, { authorization })).json, { name: first.name })
})
