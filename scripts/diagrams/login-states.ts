import type { Language } from '../../docs/.vitepress/navigation.ts'
import { graph } from './graph.ts'

const words = {
  en: {
    title: 'What becomes of one login',
    text: 'A started login waits for the person for ten minutes, then it has run out. When the person is back with a code it may be finished for ten minutes. A finish claims it. Where the provider cannot be reached the claim is released and the same finish may be sent again. Where the code is used up without a result the login is lost. A finished login gives its session once more within 60 seconds to a site that proves itself.',
    started: 'started\n(10 minutes)',
    back: 'the person is back\n(10 minutes)',
    claimed: 'being finished\n(10 seconds)',
    finished: 'finished:\none session',
    expired: 'run out:\nlogin-expired',
    lost: 'code used up:\na new login',
    code: 'code',
    finish: 'finish',
    session: 'profile,\nsession',
    late: 'too late',
    released: 'not reached:\nreleased',
    failed: 'refused, failed',
  },
  ru: {
    title: 'Что происходит с одним входом',
    text: 'Начатый вход ждёт пользователя десять минут, потом его время истекает. Когда пользователь вернулся с кодом, вход можно завершить в течение десяти минут. Завершение занимает его. Если провайдер недоступен, вход освобождается и то же завершение можно отправить снова. Если код израсходован без результата, вход потерян. Завершённый вход в течение 60 секунд отдаёт ту же сессию ещё раз сайту, который подтвердил себя.',
    started: 'начат\n(10 минут)',
    back: 'пользователь вернулся\n(10 минут)',
    claimed: 'завершается\n(10 секунд)',
    finished: 'завершён:\nодна сессия',
    expired: 'время истекло:\nlogin-expired',
    lost: 'код израсходован:\nновый вход',
    code: 'код',
    finish: 'завершение',
    session: 'профиль,\nсессия',
    late: 'поздно',
    released: 'недоступен:\nосвобождён',
    failed: 'отказ, сбой',
  },
} as const

/** The states of a login, and what leads from one to the other. */
export function loginStates(language: Language): string {
  const { title, text, ...said } = words[language]
  return graph(
    { width: 1010, height: 280 },
    { title, text },
    {
      started: { x: 95, y: 60, text: said.started },
      back: { x: 345, y: 60, text: said.back, width: 180 },
      claimed: { x: 660, y: 60, text: said.claimed },
      finished: { x: 915, y: 60, text: said.finished, kind: 'strong', width: 130 },
      expired: { x: 220, y: 225, text: said.expired, kind: 'end' },
      lost: { x: 660, y: 225, text: said.lost, kind: 'end' },
    },
    [
      { from: 'started', to: 'back', text: said.code },
      { from: 'back', to: 'claimed', text: said.finish, aside: { x: 0, y: -14 } },
      { from: 'claimed', to: 'back', text: said.released, aside: { x: 0, y: 14 } },
      { from: 'claimed', to: 'finished', text: said.session },
      { from: 'started', to: 'expired', text: said.late },
      { from: 'back', to: 'expired', text: said.late },
      { from: 'claimed', to: 'lost', text: said.failed },
    ],
  )
}
