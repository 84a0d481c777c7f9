import t from 'tap'
import { readPage } from '../../src/site-check/page.ts'

const url = new URL('https://shop.example/login/')

/** The controls of a page, short. */
function controlsOf(html: string) {
  return readPage(html, url).controls.map(
    ({ kind, method, action, fields, label }) =>
      `${kind} ${method} ${action.href} ${fields.map((pair) => pair.join('=')).join('&')} ${label}`,
  )
}

t.test('a form is listed once for each button that can be pressed', async (t) => {
  t.strictSame(
    controlsOf(`<form method=POST action="/start"><input type=hidden name=csrf value="a&amp;b">
      <button name=provider value=one>One</button><button name=provider value=two disabled>Two</button>
      <input type=submit name=go value="Three" formaction="other"><button type=button>Script</button></form>`),
    [
      'form POST https://shop.example/start csrf=a&b&provider=one One',
      'form POST https://shop.example/login/other csrf=a&b&go=Three Three',
    ],
  )
})

t.test('a form without a button is listed once, with what its fields hold', async (t) => {
  t.strictSame(
    controlsOf(`<form><input name=text value=1><input type=checkbox name=on checked><input type=radio name=off>
      <select name=s><option>a<option value=b selected>B</select><textarea name=t>words</textarea><input type=file name=f></form>`),
    ['form GET https://shop.example/login/ text=1&on=on&s=b&t=words '],
  )
})

t.test('links are listed, by http alone, and against the base of the page', async (t) => {
  t.strictSame(
    controlsOf(
      '<base href="/de/"><a href="in?a=1"><b>Log</b> in</a><a href="mailto:a@b">mail</a><a>none</a>',
    ),
    ['link GET https://shop.example/de/in?a=1  Log in'],
  )
})

t.test('text is what people see', async (t) => {
  const { text } = readPage(
    '<title>no</title><style>no</style><script>no</script><noscript><p>no</noscript><p>One&nbsp;&lt;b&gt;\n two</p><p>three',
    url,
  )
  t.equal(text, 'One <b> two three')
})

t.test('what the page loads is listed', async (t) => {
  const { loads } = readPage(
    '<img src="/a.png"><script src="https://count.example/s.js"></script><link href=x.css><img src="data:,"><iframe>',
    url,
  )
  t.strictSame(
    loads.map(({ href }) => href),
    ['https://shop.example/a.png', 'https://count.example/s.js', 'https://shop.example/login/x.css'],
  )
})
