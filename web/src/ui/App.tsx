import { createEffect, ErrorBoundary, lazy, Match, Show, Suspense, Switch } from 'solid-js';
import { dropSession, ModelProvider, model } from '../state/app';
import type { Model } from '../state/model';
import { go, route } from '../state/router';
import { text } from '../strings/en';
import { AuthPage } from './auth/AuthPage';
import { Shell } from './shell/Shell';

const SessionExpired = lazy(() => import('./auth/SessionExpired'));

/** Where to go after signing in: the page that was asked for first. */
let wanted = '/';

export function App() {
  return (
    <ErrorBoundary fallback={<Broken />}>
      <Show when={model()} keyed fallback={<SignedOut />}>
        {(current) => <SignedIn model={current} />}
      </Show>
    </ErrorBoundary>
  );
}

function SignedOut() {
  createEffect(() => {
    const place = route();
    if (place.name === 'login' || place.name === 'register') return;
    wanted = location.pathname;
    go('/login', true);
  });
  return (
    <Switch>
      <Match when={route().name === 'login'}>
        <AuthPage mode="login" />
      </Match>
      <Match when={route().name === 'register'}>
        <AuthPage mode="register" />
      </Match>
    </Switch>
  );
}

function SignedIn(props: { model: Model }) {
  const expired = (): boolean => props.model.phase().name === 'expired';
  createEffect(() => {
    if (expired() && !props.model.known()) dropSession();
  });
  createEffect(() => {
    const place = route();
    if (place.name !== 'login' && place.name !== 'register') return;
    go(wanted, true);
    wanted = '/';
  });
  return (
    <ModelProvider value={props.model}>
      <Shell />
      <Show when={expired() && props.model.known()}>
        <Suspense>
          <SessionExpired username={props.model.me().username} />
        </Suspense>
      </Show>
    </ModelProvider>
  );
}

function Broken() {
  return (
    <main class="empty" role="alert">
      <p>{text.broken}</p>
      <button type="button" class="button" onClick={() => location.reload()}>
        {text.reload}
      </button>
    </main>
  );
}
