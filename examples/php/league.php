<?php
// A site that logs people in through Auth-movies by OAuth, with league/oauth2-client. PHP 8.1 or newer.
// To try it, run `npm start` in a copy of the service, and in a second terminal
//   npm run site -- add --name Example --redirect-url http://127.0.0.1:8000/return
// Paste the line `export AUTH=…` of its answer, `cd examples/php && composer require league/oauth2-client:^2.7`, run
// `php -S 127.0.0.1:8000 league.php`, and open http://127.0.0.1:8000/
// For production: https in REDIRECT_URL, every request sent to this file, sessions shared by all servers.
declare(strict_types=1);

require __DIR__ . '/vendor/autoload.php';

use GuzzleHttp\Exception\GuzzleException;
use League\OAuth2\Client\Provider\Exception\IdentityProviderException;
use League\OAuth2\Client\Provider\GenericProvider;

foreach (['AUTH', 'SITE_ID', 'SITE_SECRET', 'REDIRECT_URL'] as $name) {
    if (!getenv($name)) {
        http_response_code(500);
        exit('Please set AUTH, SITE_ID, SITE_SECRET and REDIRECT_URL, as `npm run site -- add` prints them.');
    }
}
define('ORIGIN', preg_replace('~^(\w+://[^/]+).*$~', '$1', (string) getenv('REDIRECT_URL')));

// This library knows no discovery and no ID tokens: it asks UserInfo who it is.
$auth = getenv('AUTH');
$metadata = json_decode((string) file_get_contents("$auth/.well-known/openid-configuration"), true);
$provider = new GenericProvider([
    'clientId' => getenv('SITE_ID'),
    'clientSecret' => getenv('SITE_SECRET'),
    'redirectUri' => getenv('REDIRECT_URL'),
    'urlAuthorize' => $metadata['authorization_endpoint'],
    'urlAccessToken' => $metadata['token_endpoint'],
    'urlResourceOwnerDetails' => $metadata['userinfo_endpoint'],
    'responseResourceOwnerId' => 'sub',
    'scopes' => ['openid', 'profile', 'email'],
    'scopeSeparator' => ' ',
    'accessTokenMethod' => 'POST',
    'pkceMethod' => GenericProvider::PKCE_METHOD_S256,
    'timeout' => 12,
]);

function login(GenericProvider $provider): string
{
    $url = $provider->getAuthorizationUrl();
    $_SESSION['login'] = ['state' => $provider->getState(), 'verifier' => $provider->getPkceCode()];
    return $url;
}

function loginReturn(GenericProvider $provider): string
{
    $login = $_SESSION['login'] ?? null;
    if ($login === null || filter_input(INPUT_GET, 'state') !== $login['state']) {
        return '/'; // it did not begin in this browser, or it is over
    }
    unset($_SESSION['login']);
    if (isset($_GET['error'])) {
        $refused = $_GET['error'] === 'access_denied';
        $_SESSION['message'] = $refused ? 'You did not allow the login.' : 'The login did not succeed.';
        return '/';
    }
    $provider->setPkceCode($login['verifier']);
    $token = $provider->getAccessToken('authorization_code', ['code' => (string) filter_input(INPUT_GET, 'code')]);
    $person = $provider->getResourceOwner($token)->toArray();
    session_regenerate_id(true);
    // sub is the key of your users, never the email.
    $_SESSION['sub'] = $person['sub'];
    $_SESSION['name'] = $person['name'] ?? $person['sub'];
    $_SESSION['refresh_token'] = $token->getRefreshToken();
    return '/'; // an address without state and code
}

function logout(GenericProvider $provider, string $revocation): string
{
    $token = $_SESSION['refresh_token'] ?? null;
    $_SESSION = [];
    session_regenerate_id(true);
    if ($token !== null) {
        $provider->getHttpClient()->request('POST', $revocation, [
            'auth' => [getenv('SITE_ID'), getenv('SITE_SECRET')],
            'form_params' => ['token' => $token],
        ]);
    }
    return '/';
}

ini_set('session.use_strict_mode', true);
session_name('session');
// With SameSite=Strict the cookie would not come back from the service.
session_set_cookie_params(['httponly' => true, 'samesite' => 'Lax', 'secure' => str_starts_with(ORIGIN, 'https:')]);
session_start();
header('Referrer-Policy: same-origin');
['REQUEST_METHOD' => $method, 'REQUEST_URI' => $uri] = $_SERVER;
// A form of another site must not log anybody in or out.
$alien = $method === 'POST' && ($_SERVER['HTTP_ORIGIN'] ?? ORIGIN) !== ORIGIN;
try {
    $location = match ($alien ? '' : $method . ' ' . parse_url($uri, PHP_URL_PATH)) {
        'POST /login' => login($provider),
        'GET ' . parse_url((string) getenv('REDIRECT_URL'), PHP_URL_PATH) => loginReturn($provider),
        'POST /logout' => logout($provider, $metadata['revocation_endpoint']),
        default => null,
    };
} catch (IdentityProviderException | GuzzleException | UnexpectedValueException $failure) {
    error_log($failure->getMessage());
    $_SESSION['message'] = 'This did not succeed. Please try again a little later.';
    $location = '/';
}
if ($location !== null) {
    header("Location: $location", true, 303);
    return;
}
[$action, $label] = isset($_SESSION['sub']) ? ['/logout', 'Log out'] : ['/login', 'Log in'];
$alert = isset($_SESSION['message']) ? '<p role="alert">' . htmlspecialchars($_SESSION['message']) . '</p>' : '';
unset($_SESSION['message']);
echo "<!doctype html><title>My site</title><h1>My site</h1>$alert<b>" . htmlspecialchars($_SESSION['name'] ?? '') . '</b>';
echo "<form method=\"post\" action=\"$action\"><button>$label</button></form>";
