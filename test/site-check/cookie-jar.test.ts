import t from 'tap'
import { CookieJar } from '../../src/site-check/cookie-jar.ts'

const site = new URL('https://shop.example/account/login')
const home = { crossSite: false, safe: true }

/** A jar after an answer with these `Set-Cookie` lines. */
function jarWith(...lines: readonly string[]): CookieJar {
  const jar = new CookieJar()
  jar.take(site, new Headers(lines.map((line): [string, string] => ['set-cookie', line])))
  return jar
}

t.test('a cookie goes to its host, and to its domain where it names one', async (t) => {
  const jar = jarWith(
    'own=1; Path=/',
    'all=2; Path=/; Domain=.shop.example',
    'foreign=3; Domain=other.example',
  )
  t.equal(jar.header(site, home), 'own=1; all=2')
  t.equal(jar.header(new URL('https://www.shop.example/'), home), 'all=2')
  t.equal(jar.header(new URL('https://notshop.example/'), home), undefined)
})

t.test('a cookie goes to its path; without one to the folder of the page', async (t) => {
  const jar = jarWith('root=1; Path=/', 'folder=2', 'api=3; Path=/api')
  t.equal(
    jar.header(new URL('https://shop.example/account/'), home),
    'folder=2; root=1',
    'longer paths first',
  )
  t.equal(jar.header(new URL('https://shop.example/accounts'), home), 'root=1')
  t.equal(jar.header(new URL('https://shop.example/api/me'), home), 'api=3; root=1')
})

t.test('a secure cookie stays away from http', async (t) => {
  t.equal(jarWith('a=1; Path=/; Secure').header(new URL('http://shop.example/'), home), undefined)
})

t.test('SameSite decides what comes along from another site', async (t) => {
  const jar = jarWith(
    's=1; Path=/; SameSite=Strict',
    'l=2; Path=/; SameSite=Lax',
    'n=3; Path=/; SameSite=None',
    'd=4; Path=/',
  )
  t.equal(jar.header(site, home), 's=1; l=2; n=3; d=4')
  t.equal(jar.header(site, { crossSite: true, safe: true }), 'l=2; n=3; d=4')
  t.equal(jar.header(site, { crossSite: true, safe: false }), 'n=3')
})

t.test('a cookie is replaced, and removed by an end in the past', async (t) => {
  for (const end of ['Max-Age=0', 'Expires=Thu, 01 Jan 1970 00:00:00 GMT']) {
    const jar = jarWith('a=1; Path=/', 'a=2; Path=/; HttpOnly')
    t.match(jar.all(), [{ name: 'a', value: '2', httpOnly: true }])
    const copy = jar.copy()
    jar.take(site, new Headers({ 'set-cookie': `a=; Path=/; ${end}` }))
    t.equal(jar.header(site, home), undefined, end)
    t.equal(copy.header(site, home), 'a=2', 'a copy goes its own way')
  }
})
