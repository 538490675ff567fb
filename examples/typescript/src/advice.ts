// Generated from docs/answers.md by "npm run generate". Do not edit.

/** What a till does next: send it again at once, later, follow the order, or change the request. */
export type Next = 'again' | 'later' | 'follow' | 'change';

/** What an error code means after a command, and what to do. */
export interface Advice {
  next: Next;
  means: string;
  do: string;
}

/** What a status says about the money. */
export type Outcome = 'open' | 'paid' | 'unpaid' | 'returned' | 'unsettled';

/** What a status means. "do" is for an event or the answer to start or get, "cancelled" for the answer to cancel. */
export interface Verdict {
  outcome: Outcome;
  means: string;
  do: string;
  cancelled: string;
}

export type Command = 'start' | 'cancel' | 'get' | 'list' | 'receipt';

const advices: Record<Command, Record<string, Advice>> = {
  start: {
    invalid_request: { next: "change", means: "This request started nothing.", do: "Correct the value that the message names." },
    unknown_terminal: { next: "change", means: "This request started nothing.", do: "Check the terminal's id. One of the bridge's terminal groups must serve it." },
    terminal_busy: { next: "later", means: "This request started nothing. Another payment is open on the terminal; the message names its order.", do: "Wait until that payment is over, or cancel it. Then send the request again." },
    order_conflict: { next: "change", means: "This request started nothing. The order exists with other content, and may be open or paid.", do: "Look at that order before you charge again. Only another sale gets a new order id." },
    provider_rejected: { next: "change", means: "MultiSafepay refused the order. This request left nothing open.", do: "Correct what MultiSafepay names, and start it under a new order id. If MultiSafepay knows the order from elsewhere, look it up there first: it may be paid." },
    provider_error: { next: "change", means: "Nothing was created.", do: "Whoever runs the bridge checks the terminal group's key (pos-bridge check). Then send the request again." },
    provider_unavailable: { next: "later", means: "Nothing was created.", do: "Send it again in a moment." },
    shutting_down: { next: "again", means: "One replica stops, and could not answer in time. The payment may begin all the same.", do: "Send it again at once: another replica answers it." },
    outcome_unknown: { next: "follow", means: "It is not known yet whether the order exists. It may be paid.", do: "Follow the order until a status is final, and do not charge again before. The same request, under the same order id, may be sent again: it never makes a second payment." },
  },
  cancel: {
    invalid_request: { next: "change", means: "Nothing was cancelled: the payment is as it was, and can still be paid.", do: "Correct the value that the message names." },
    unknown_terminal: { next: "change", means: "Nothing was cancelled. None of the bridge's terminal groups serves the terminal.", do: "Check the terminal's id and the order's id. Look an old order up at MultiSafepay." },
    not_found: { next: "change", means: "Nothing was cancelled. The bridge does not know the order at this terminal: it was never started there, nothing was created, or it is older than BRIDGE_STATUS_MAX_AGE.", do: "Check the terminal's id and the order's id. Look an old order up at MultiSafepay." },
    provider_rejected: { next: "follow", means: "MultiSafepay refused to cancel. The payment is still open, and can still be paid.", do: "Follow the order until a status is final, and do not charge again before. It can be cancelled on the terminal." },
    provider_error: { next: "follow", means: "Nothing was cancelled: the payment is as it was, and can still be paid.", do: "Follow the order until a status is final, and do not charge again before. Whoever runs the bridge checks the terminal group's key (pos-bridge check)." },
    provider_unavailable: { next: "later", means: "Nothing was cancelled: the payment is as it was, and can still be paid.", do: "Send it again in a moment. Do not charge again before a status is final." },
    shutting_down: { next: "again", means: "One replica stops, and could not answer in time. The payment may be cancelled or open.", do: "Send it again at once: another replica answers it." },
    outcome_unknown: { next: "follow", means: "It is not known whether the order was cancelled. It may still be paid.", do: "Follow the order until a status is final, and do not charge again before. To cancel again is safe." },
  },
  get: {
    invalid_request: { next: "change", means: "Nothing was looked up.", do: "Correct the value that the message names." },
    not_found: { next: "change", means: "The bridge does not know the order at this terminal: it was never started there, nothing was created, or it is older than BRIDGE_STATUS_MAX_AGE.", do: "Check the terminal's id and the order's id. Look an old order up at MultiSafepay." },
    shutting_down: { next: "again", means: "One replica stops, and could not answer in time. This says nothing about a payment.", do: "Send it again at once: another replica answers it." },
    outcome_unknown: { next: "later", means: "The bridge could not read its own records in time. This says nothing about a payment.", do: "Send it again in a moment." },
  },
  list: {
    invalid_request: { next: "change", means: "Nothing was listed.", do: "Correct what the message names. If the answer is too long for NATS, ask for single orders." },
    shutting_down: { next: "again", means: "One replica stops, and could not answer in time. This says nothing about a payment.", do: "Send it again at once: another replica answers it." },
    outcome_unknown: { next: "later", means: "The bridge could not read its own records in time. This says nothing about a payment.", do: "Send it again in a moment." },
  },
  receipt: {
    invalid_request: { next: "change", means: "Nothing was looked up.", do: "Correct the value that the message names." },
    unknown_terminal: { next: "change", means: "There is no receipt now. The payment is as it was. None of the bridge's terminal groups serves the terminal.", do: "Check the terminal's id and the order's id. Look an old order up at MultiSafepay." },
    not_found: { next: "change", means: "MultiSafepay has no receipt of the order, or the bridge does not know the order at this terminal: it was never started there, nothing was created, or it is older than BRIDGE_STATUS_MAX_AGE.", do: "Check the terminal's id and the order's id. Look an old order up at MultiSafepay." },
    provider_rejected: { next: "change", means: "There is no receipt now. The payment is as it was. MultiSafepay refused to give one.", do: "Look the order up at MultiSafepay." },
    provider_error: { next: "change", means: "There is no receipt now. The payment is as it was.", do: "Whoever runs the bridge checks the terminal group's key (pos-bridge check)." },
    provider_unavailable: { next: "later", means: "There is no receipt now. The payment is as it was.", do: "Send it again in a moment." },
    shutting_down: { next: "again", means: "One replica stops, and could not answer in time. The payment is as it was.", do: "Send it again at once: another replica answers it." },
    outcome_unknown: { next: "later", means: "The bridge could not read its own records in time. This says nothing about a payment.", do: "Send it again in a moment." },
  },
};

const verdicts: Record<string, Verdict> = {
  created: { outcome: "open", means: "the order is being made, or the terminal asks for the card", do: "Wait for a final status.", cancelled: "Not cancelled yet: wait for a final status. It may still be paid." },
  initialized: { outcome: "open", means: "under way: the card is asked for, or being processed", do: "Wait for a final status.", cancelled: "Not cancelled yet: wait for a final status. It may still be paid." },
  declined: { outcome: "open", means: "declined; the customer may try again on the terminal", do: "Wait for a final status.", cancelled: "Not cancelled yet: wait for a final status. It may still be paid." },
  reserved: { outcome: "unsettled", means: "reserved, not captured yet", do: "Look the order up at MultiSafepay before you charge again.", cancelled: "Look the order up at MultiSafepay before you charge again." },
  uncleared: { outcome: "unsettled", means: "not cleared yet, MultiSafepay is looking at it", do: "Look the order up at MultiSafepay before you charge again.", cancelled: "Look the order up at MultiSafepay before you charge again." },
  shipped: { outcome: "paid", means: "paid and shipped", do: "Paid.", cancelled: "Too late: the customer has paid. A refund is made at MultiSafepay." },
  completed: { outcome: "paid", means: "paid", do: "Paid. Wait for BRIDGE_SETTLE_WINDOW before you hand anything over: a reversal can follow at once.", cancelled: "Too late: the customer has paid. A refund is made at MultiSafepay." },
  cancelled: { outcome: "unpaid", means: "cancelled, nothing was charged", do: "Not paid. To charge again, use a new order id. An approval that comes too late is published as completed.", cancelled: "Nothing is charged. To charge again, use a new order id." },
  expired: { outcome: "unpaid", means: "expired, nothing was charged", do: "Not paid. To charge again, use a new order id. An approval that comes too late is published as completed.", cancelled: "Nothing is charged. To charge again, use a new order id." },
  void: { outcome: "unpaid", means: "void, nothing was charged", do: "Not paid. To charge again, use a new order id. An approval that comes too late is published as completed.", cancelled: "Nothing is charged. To charge again, use a new order id." },
  unresolved: { outcome: "unsettled", means: "the bridge gave up: look the order up at MultiSafepay before you charge again", do: "Look the order up at MultiSafepay before you charge again.", cancelled: "Look the order up at MultiSafepay before you charge again." },
  not_created: { outcome: "unpaid", means: "nothing was created and nothing charged; start it again as a new order", do: "To charge again, use a new order id.", cancelled: "Nothing is charged. To charge again, use a new order id." },
  reversed: { outcome: "returned", means: "reversed, the money goes back to the customer", do: "To charge again, use a new order id.", cancelled: "Too late, but the money goes back to the customer already." },
  refunded: { outcome: "returned", means: "refunded, the money goes back to the customer", do: "To charge again, use a new order id.", cancelled: "Too late, but the money goes back to the customer already." },
  partial_refunded: { outcome: "paid", means: "paid, and refunded in part", do: "Paid in part. What was refunded is to be seen at MultiSafepay.", cancelled: "Too late: the customer has paid. A refund is made at MultiSafepay." },
  chargeback: { outcome: "returned", means: "charged back, the customer's bank took the money back", do: "Look the order up at MultiSafepay before you charge again.", cancelled: "Too late, but the money goes back to the customer already." },
  chargedback: { outcome: "returned", means: "charged back, the customer's bank took the money back", do: "Look the order up at MultiSafepay before you charge again.", cancelled: "Too late, but the money goes back to the customer already." },
};

const own = <T>(table: Record<string, T>, key: string): T | undefined => (Object.hasOwn(table, key) ? table[key] : undefined);

/** Says what to do after an error. A code that this version does not know says nothing about a payment: follow the order. */
export function adviceOn(command: Command, code: string): Advice {
  return own(advices[command], code) ?? {
    next: 'follow',
    means: 'This version does not know the answer. It says nothing about a payment.',
    do: 'Follow the order until a status is final, and do not charge again before.',
  };
}

/** Says what a status means, also one that this version does not know. */
export function verdictOn(status: string, final: boolean): Verdict {
  const lookUp = 'Look the order up at MultiSafepay before you charge again.';
  return own(verdicts, status) ?? (final
    ? { outcome: 'unsettled', means: 'over, with a status that this version does not know', do: lookUp, cancelled: lookUp }
    : { outcome: 'open', means: 'a status that this version does not know', do: 'Wait for a final status.', cancelled: 'Not cancelled yet: wait for a final status. It may still be paid.' });
}
