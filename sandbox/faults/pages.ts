import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify'
import type { LoginJournal, LoginRecord } from '../demo-site/login-record.ts'
import type { Html, Language, Title } from '../web.ts'
import { bodyOf, html, isFromElsewhere, languageOf, sendPage } from '../web.ts'
import type { FaultId } from './catalogue.ts'
import { faultOf, isFaultId } from './catalogue.ts'
import { sawExpected, seenBy } from './expectation.ts'
import type { SetFaults } from './set-faults.ts'
import { FaultError, hintOfFault } from './set-faults.ts'
import { faultTexts, seenInWords } from './texts.ts'

/** What the pages of faults show and change. */
export interface FaultPagesOptions {
  readonly faults: SetFaults
  readonly journal: LoginJournal
  readonly entries: readonly { readonly double: { readonly name: string }; readonly title: Title }[]
  /** The service, which has a page about each problem. */
  readonly publicUrl: string
}

const texts = {
  en: {
    happens: 'What happens',
    sees: 'What the site sees',
    should: 'What it should do',
    byHand: 'At a site of your own',
    set: 'Play it',
    provider: 'Provider',
    every: 'Every one that can have it',
    times: 'For so many logins (empty: until it is taken away)',
    apply: 'Set',
    done: 'Set for the next logins.',
    demo: 'Try it on the demo site',
    parameter: 'By the start parameter, for this login alone, at any provider:',
    http: 'Over HTTP, for the tests of a site:',
    last: 'What happened last on the demo site',
    never: 'It was not played there yet.',
    through: 'Provider',
    saw: 'It saw',
    asExpected: 'As expected',
    did: 'It did what it should',
    yes: 'yes',
    no: 'no',
    notYet: 'not yet: the person has not come to its page again',
    problem: 'What this problem means',
    nothing: 'nothing: the browser did not come to its return URL',
    wrongMethod: 'There is no such fault.',
  },
  ru: {
    happens: 'Что происходит',
    sees: 'Что увидит сайт',
    should: 'Что он должен сделать',
    byHand: 'На вашем сайте',
    set: 'Воспроизвести',
    provider: 'Провайдер',
    every: 'Все, у кого он возможен',
    times: 'Для стольких входов (пусто — пока не снимут)',
    apply: 'Установить',
    done: 'Установлено для следующих входов.',
    demo: 'Попробовать на демо-сайте',
    parameter: 'Параметром начала входа, только для этого входа, у любого провайдера:',
    http: 'По HTTP, для тестов сайта:',
    last: 'Что было в последний раз на демо-сайте',
    never: 'Там этот сбой ещё не воспроизводили.',
    through: 'Провайдер',
    saw: 'Он увидел',
    asExpected: 'Как ожидалось',
    did: 'Сделал, что должен',
    yes: 'да',
    no: 'нет',
    notYet: 'ещё нет: человек пока не пришёл на его страницу снова',
    problem: 'Что значит эта ошибка',
    nothing: 'ничего: браузер не пришёл на адрес возврата',
    wrongMethod: 'Такого сбоя нет.',
  },
} as const

/** A page for each fault: what it is, how to set it, and what the demo site did with it. */
export function faultPages(options: FaultPagesOptions): FastifyPluginAsync {
  const { faults } = options
  return async (app) => {
    app.get<{ Params: { id: string }; Querystring: { done?: string } }>(
      '/faults/:id',
      async (request, reply) => {
        const { id } = request.params
        if (!isFaultId(id)) return unknownPage(request, reply)
        return faultPage(request, reply, id, options)
      },
    )

    app.post<{ Params: { id: string } }>('/faults/:id', async (request, reply) => {
      const { id } = request.params
      if (!isFaultId(id) || isFromElsewhere(request)) return unknownPage(request, reply)
      const form = new URLSearchParams(bodyOf(request))
      const times = Number(form.get('times') || Number.POSITIVE_INFINITY)
      try {
        faults.set(id, form.get('provider') || undefined, times >= 1 ? times : 1)
      } catch (error) {
        if (!(error instanceof FaultError)) throw error
        return unknownPage(request, reply, error.message)
      }
      return reply.redirect(`/faults/${id}?done=1`, 303)
    })
  }
}

function unknownPage(request: FastifyRequest, reply: FastifyReply, why?: string): FastifyReply {
  const lang = languageOf(request)
  const sentence = why ?? texts[lang].wrongMethod
  return sendPage(reply, {
    status: why === undefined ? 404 : 400,
    lang,
    title: sentence,
    body: html`<h1>${sentence}</h1>`,
  })
}

function faultPage(
  request: FastifyRequest<{ Querystring: { done?: string } }>,
  reply: FastifyReply,
  id: FaultId,
  { faults, journal, entries, publicUrl }: FaultPagesOptions,
): FastifyReply {
  const lang = languageOf(request)
  const t = texts[lang]
  const text = faultTexts[lang].faults[id]
  const { sees, group } = faultOf(id)
  const possible = faults.providersOf(id)
  const choices = entries
    .filter(({ double }) => possible.includes(double.name))
    .map(({ double, title }) => html`<option value="${double.name}">${title[lang]}</option>`)
  const problem = 'problem' in sees ? sees.problem : undefined
  const about =
    problem === undefined ? undefined : html` <a href="${publicUrl}/problems/${problem}">${t.problem}</a>`
  const origin = `http://${request.host}`
  const command = `curl -X POST ${origin}/faults -H 'content-type: application/json' -d '{"fault": "${id}", "times": 1}'`
  return sendPage(reply, {
    lang,
    title: text.title,
    body: html`<p class="badge">${faultTexts[lang].groups[group]}</p><h1>${text.title}</h1>
<p><code>${id}</code></p>
<dl class="card"><dt>${t.happens}</dt><dd>${text.happens}</dd>
<dt>${t.sees}</dt><dd>${seenInWords(sees, lang)} ${text.sees}${about}</dd>
<dt>${t.should}</dt><dd>${text.should}</dd>
${text.byHand === undefined ? undefined : html`<dt>${t.byHand}</dt><dd>${text.byHand}</dd>`}</dl>
<h2>${t.set}</h2>
<p><a class="button main" href="/demo/?fault=${id}">${t.demo}</a></p>
<form method="post" action="/faults/${id}" class="stack card">
<label>${t.provider}<select name="provider"><option value="">${t.every}</option>${choices}</select></label>
<label>${t.times}<input name="times" value="1" inputmode="numeric" pattern="[0-9]*"></label>
<div class="row"><button>${t.apply}</button><span role="status">${request.query.done === undefined ? '' : t.done}</span></div></form>
<p>${t.parameter}</p><pre tabindex="0">login_hint=${hintOfFault(id)}</pre>
<p>${t.http}</p><pre tabindex="0">${command}</pre>
<h2>${t.last}</h2>${lastTime(id, journal.last(id), lang)}`,
  })
}

function lastTime(id: FaultId, record: LoginRecord | undefined, lang: Language): Html {
  const t = texts[lang]
  if (record === undefined) return html`<p>${t.never}</p>`
  const { sees, judge } = faultOf(id)
  const verdict = judge(record)
  const word = (yes: boolean) =>
    yes ? html`<span class="good">✓ ${t.yes}</span>` : html`<span class="wrong">✗ ${t.no}</span>`
  return html`<dl class="card"><dt>${t.through}</dt><dd>${record.provider}</dd>
<dt>${t.saw}</dt><dd data-saw>${sawInWords(record, lang)}</dd>
<dt>${t.asExpected}</dt><dd data-as-expected>${word(sawExpected(sees, record))}</dd>
<dt>${t.did}</dt><dd data-did="${String(verdict)}">${verdict === undefined ? t.notYet : word(verdict)}</dd></dl>`
}

/** What the demo site saw, as it was, whatever had been expected. */
function sawInWords(record: LoginRecord, lang: Language): string {
  const { at, status, type, error } = seenBy(record)
  if (at === 'nothing') return texts[lang].nothing
  if (at === 'session') return faultTexts[lang].seen.session
  if (error !== undefined) return `error=${error}`
  return [String(status), type].filter((part) => part !== undefined).join(', ')
}
