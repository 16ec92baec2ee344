import { createSignal } from 'solid-js';

/** Not there at all on plain http. */
const available = 'Notification' in window && window.isSecureContext;

const [permission, setPermission] = createSignal<NotificationPermission | 'unavailable'>(
  available ? Notification.permission : 'unavailable',
);

export { permission };

/** Only ever after a click. */
export async function askPermission(): Promise<boolean> {
  if (!available) return false;
  setPermission(await Notification.requestPermission());
  return permission() === 'granted';
}

/** Notifications outside of the page: one per conversation, its newest message. */
export function createDesktop(open: (conversation: string) => void) {
  const shown = new Map<string, Notification>();
  return {
    show(conversation: string, sender: string, place: string, preview: string): void {
      if (permission() !== 'granted') return;
      const title = place === '' ? sender : `${sender} · ${place}`;
      try {
        const notification = new Notification(title, { body: preview, tag: conversation });
        notification.onclick = () => {
          window.focus();
          open(conversation);
          notification.close();
        };
        shown.set(conversation, notification);
      } catch {
        // Some browsers want a service worker for it; the page still shows its own.
      }
    },
    close(conversation: string): void {
      shown.get(conversation)?.close();
      shown.delete(conversation);
    },
    closeAll(): void {
      for (const notification of shown.values()) notification.close();
      shown.clear();
    },
  };
}
