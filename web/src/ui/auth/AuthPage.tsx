import { createEffect } from 'solid-js';
import { follow } from '../../state/router';
import { text } from '../../strings/en';
import { AuthForm, type AuthMode } from './AuthForm';

export function AuthPage(props: { mode: AuthMode }) {
  const registering = (): boolean => props.mode === 'register';
  const title = (): string => (registering() ? text.signUpTitle : text.signInTitle);
  createEffect(() => {
    document.title = title();
  });
  return (
    <main class="auth-page">
      <p class="wordmark">{text.product}</p>
      <h1>{title()}</h1>
      <AuthForm mode={props.mode} />
      <p class="switch">
        {registering() ? text.haveAccount : text.noAccount}{' '}
        <a href={registering() ? '/login' : '/register'} onClick={follow}>
          {registering() ? text.signIn : text.signUp}
        </a>
      </p>
    </main>
  );
}
