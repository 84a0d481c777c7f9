import t from 'tap'
import { wordsForLog } from '../../src/providers/response.ts'

/** Each way in which a server may percent-encode what it repeats. */
const encodings: Readonly<Record<string, (text: string) => string>> = {
  'as it is': (text) => text,
  encodeURIComponent,
  'as a form': (text) => new URLSearchParams({ '': text }).toString().slice(1),
  'with small hexadecimal digits': (text) =>
    encodeURIComponent(text).replace(/%../g, (byte) => byte.toLowerCase()),
}

await t.test('a secret is removed in every way in which it may have been sent', async (t) => {
  for (const secret of ['4/0A(x)*~ y+z', '1234567', 'abc\ud800def', 'ключ и замок', '%E0%A0abc'])
    for (const [way, encode] of Object.entries(encodings)) {
      const said = wordsForLog(`bad <${encode(secret.toWellFormed())}>!`, ['unrelated', undefined, secret])
      t.equal(said, 'bad <[removed]>!', `${secret} ${way}`)
    }
})

await t.test('a secret that the provider cut is removed too', async (t) => {
  t.equal(wordsForLog('bad code 4/0AbCdEfGh... sent', ['4/0AbCdEfGhIjKlMn']), 'bad code [removed]... sent')
})

await t.test('a text too short for a secret is no secret', async (t) => {
  t.equal(wordsForLog('eeee denied', ['e', 'd', '', '12345']), 'eeee denied')
})

await t.test('one pass: our own mark is never replaced inside itself', async (t) => {
  const secrets = ['eeeeee', 'removed', '[removed]', '[removed', 'oved]x', 'e']
  t.equal(wordsForLog('no eeeeee and removed', secrets), 'no [removed] and [removed]')
  t.equal(wordsForLog(`${'eeeeee'.repeat(20)}x`, secrets), `${'[removed]'.repeat(20)}x`)
  t.equal(wordsForLog('[removed]', secrets), '[removed]')
})

await t.test('what is kept has at most 200 characters and is made of the first 2,000', async (t) => {
  t.equal(wordsForLog('e'.repeat(31_000), ['e', 'ee']), 'e'.repeat(200))
  t.equal(wordsForLog('secret-'.repeat(10_000), ['secret-']), '[removed]'.repeat(286).slice(0, 200))
  t.equal(wordsForLog(`${'\u200b'.repeat(2_000)}late`), '', 'nobody looks further')
  t.equal(wordsForLog('x'.repeat(199) + '😀').length, 200)
})

await t.test('ill-formed text is no failure', async (t) => {
  t.equal(wordsForLog('a\ud800b', ['\ud800', '\udc00\ud800xxxxxx']), 'a\ufffdb')
})

await t.test('no email address stays, however it is written', async (t) => {
  for (const email of [
    'ada@mail.example',
    'ada @mail.example',
    'ada@ mail.example',
    'ada \t@\n mail.example',
    'ada\0@mail.example',
    'ada\u200b@mail.example',
    'ada%40mail.example',
    'ada%2540mail.example',
    'ada%252540mail.example',
    'ada＠mail.example',
    'ada&#64;mail.example',
    'ada&#x40;mail.example',
    `${'a'.repeat(600)}@mail.example`,
    '"g h"@mail.example',
  ])
    t.equal(wordsForLog(`no <${email}> here`), 'no <[email]> here', JSON.stringify(email))
})
