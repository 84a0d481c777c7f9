import type { FaultTexts } from './texts.ts'

const startAgain =
  'Show user_message and a button to start again. The code is spent: the same finish would not help.'
const showName = 'Escape it, and let the line break anywhere; store it as text of any script.'

/** The texts about faults in English. */
export const en: FaultTexts = {
  groups: { person: 'The person', provider: 'The provider', browser: 'The browser', site: 'The site' },
  seen: {
    success: 'The finish succeeds: 200 and tokens.',
    problem: 'The finish gets {status}, {problem}.',
    error: 'The browser comes to the return URL with error={error} and without a code.',
    session: 'The browser comes to the return URL with a state that is not in its session.',
    callback:
      'Nothing: the browser shows a page of the service ({status}, {problem}) with a link to the site.',
  },
  faults: {
    refuses: {
      title: 'Refuses',
      happens: 'The person refuses at the provider.',
      should:
        'Say that nobody was logged in and offer to try again. Keep the state: the person may go back and allow.',
    },
    'returns-after-an-hour': {
      title: 'Returns after an hour',
      happens:
        'The person leaves the page of the provider open and allows an hour later. The sandbox makes the login older.',
      should: 'Say that it took too long, and offer to start again.',
    },
    'clicks-twice': {
      title: 'Clicks twice',
      happens:
        'Two clicks on Allow are two codes. The browser shows the answer to the second, whose code comes too late.',
      should: 'Offer to log in, as always, when the person comes by the link.',
    },
    'goes-back': {
      title: 'Goes back',
      happens: 'The person refuses, goes back to the page of the provider and allows.',
      sees: 'Before that, a return with error=access_denied and the same state.',
      should: 'Let the state live after a refusal, and finish when the code comes.',
      byHand: 'When your site shows the refusal, press the button Back of the browser, and allow.',
    },
    'no-email': {
      title: 'Has no email',
      happens: 'The account was made by phone and has no email.',
      sees: 'In the profile, email is null.',
      should: 'Log the person in. The key of a user is id, never the email.',
    },
    'no-name': {
      title: 'Has no name',
      happens: 'The account has neither a name nor a login.',
      sees: 'In the profile, name is null.',
      should: 'Log the person in, and show something in place of the name.',
    },
    'changed-email': {
      title: 'Changed the email',
      happens: 'The same person as before (Anna) has another email now.',
      sees: 'The same id as before, and another email.',
      should: 'Find the user by id and store the new email.',
    },
    'long-name': {
      title: 'A name of 4,000 characters',
      happens: 'The name has 4,000 letters and no blank.',
      sees: 'A name of 255 characters.',
      should: showName,
    },
    'rtl-name': {
      title: 'A right-to-left name',
      happens: 'The name is Hebrew and begins with an invisible mark that turns the direction of the text.',
      sees: 'The name without that mark.',
      should: 'Show it in an element with dir="auto", so that it does not turn the text beside it.',
    },
    slow: {
      title: 'Slow',
      happens: 'The provider exchanges the code after three seconds.',
      should: 'Wait: a finish may take ten seconds, so the limit of your request must be longer.',
    },
    hangs: {
      title: 'Hangs',
      happens: 'The provider never answers to the exchange of the code.',
      sees: 'It comes after five seconds. After five such logins the service asks the provider no more for a while.',
      should: startAgain,
    },
    'error-500': {
      title: 'Answers 500',
      happens: 'The provider answers 500 to the exchange of the code.',
      should: startAgain,
    },
    'too-many-requests': {
      title: 'Too many requests',
      happens: 'The provider answers 429 to the exchange of the code and asks to wait for seven seconds.',
      sees: 'It has Retry-After.',
      should: 'Keep state and code, and send the same finish again after Retry-After: the code is not spent.',
    },
    rubbish: {
      title: 'Rubbish',
      happens: 'The provider answers 200 with a page in place of JSON.',
      should: startAgain,
    },
    'wrong-issuer': {
      title: 'A wrong issuer',
      happens: 'The ID token names another issuer than the provider.',
      should: startAgain,
    },
    'rotated-keys': {
      title: 'Rotated keys',
      happens: 'The provider has just replaced the keys that sign its ID tokens.',
      should: 'Nothing: the service fetches the new keys.',
    },
    'code-used-twice': {
      title: 'The code was used already',
      happens: 'Somebody else has exchanged the code before.',
      should: startAgain,
    },
    'long-code': {
      title: 'A very long code',
      happens: 'The code has 4,000 characters, with +, / and = among them.',
      should:
        'Send it on as it came. Give it no column of a limited length, and no limit on the query in front of the site.',
    },
    'expired-code': {
      title: 'The code has expired',
      happens: 'The provider calls the code expired.',
      should: startAgain,
    },
    busy: {
      title: 'Overloaded',
      happens: 'The provider sends the person back at once: it has no time.',
      should: 'Say so, and offer to try again later or another provider.',
    },
    'application-secret': {
      title: 'The secret of the application was changed',
      happens: 'The provider refuses the service itself, as its secret there is not valid any more.',
      should: 'Offer another provider. Only the operator of the service can mend it.',
    },
    'connection-reset': {
      title: 'The connection breaks',
      happens: 'The connection breaks during the exchange of the code.',
      should: startAgain,
    },
    'profile-error': {
      title: 'The profile gets 503',
      happens: 'The code is exchanged, but the provider answers 503 to the request of the profile.',
      should: startAgain,
    },
    'profile-slow': {
      title: 'The profile comes byte by byte',
      happens: 'The provider sends the profile so slowly that the service gives up.',
      sees: 'It comes after up to ten seconds.',
      should: startAgain,
    },
    'two-codes': {
      title: 'Two codes',
      happens: 'The provider sends two codes in one answer.',
      should: 'Offer to log in, as always, when the person comes by the link.',
    },
    'no-state': {
      title: 'No state',
      happens: 'The provider sends the person back without a state, so that no login is known.',
      sees: 'The page has no link either, as nobody knows to which site.',
      should: 'Offer to log in, as always, when the person comes again.',
    },
    prefetch: {
      title: 'Prefetch',
      happens:
        'Before the person, a program without cookies follows the redirects: a browser that loads ahead, then a scanner of links.',
      sees: 'Before that, the same return without a session.',
      should:
        'Refuse the return without the session, and send no finish for it: it would take the login from the person.',
    },
    'lost-session': {
      title: 'The session is lost',
      happens: 'The session of the site is gone when the browser comes back.',
      should: 'Refuse, say in plain words why, and offer to start again. Send no finish.',
      byHand: 'On the page of the provider, delete the cookies of your site, then allow.',
    },
    'two-tabs': {
      title: 'Two tabs',
      happens: 'The same browser has begun another login in a second tab.',
      should: 'Keep several states in a session, and take any of them.',
      byHand: 'Begin a login in one tab, begin another in a second tab, and allow in the first.',
    },
    'in-app-browser': {
      title: 'An in-app browser',
      happens: 'The browser of an app strips the parameters from the callback.',
      sees: 'The page has no link either, as nobody knows to which site.',
      should: 'Offer to log in, as always, when the person comes again.',
    },
    'repeated-return': {
      title: 'A repeated return',
      happens: 'An extension sends the request for the return URL a second time.',
      sees: 'Afterwards, the same return once more.',
      should: 'Finish once. At the second return send the person on: the session is there.',
      byHand:
        'The sandbox plays it for sites on its own host name. Elsewhere open the return URL from the history once more.',
    },
    'wrong-secret': {
      title: 'A wrong secret',
      happens: 'The demo site finishes with a secret that is not its own.',
      should:
        'Tell the operator of the site, show the visitor user_message, and do not repeat: the login lives, the secret must be mended.',
      byHand: 'Start your site with another secret.',
    },
    'wrong-state': {
      title: 'A wrong state',
      happens:
        'Somebody else began a login and allowed it. Now the browser of the person is led to the return URL with that state and code (login CSRF).',
      should:
        'Compare the state with the session, refuse, and send no finish: the person would be logged in as somebody else.',
      byHand:
        'For a site that requires its secret: begin a login in one browser, and open the return URL in another.',
    },
    'late-finish': {
      title: 'A late finish',
      happens:
        'The site finishes eleven minutes after the code. The sandbox makes the login older, so nobody waits.',
      should: 'Finish at once, in the request of the return URL. Here, offer to start again.',
    },
  },
}
