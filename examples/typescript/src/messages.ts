// Generated from the JSON Schemas in schema/ by "npm run generate". Do not edit.

export type Message =
  | CancelReply
  | CancelRequest
  | ErrorReply
  | GetRequest
  | InvalidEvent
  | ListReply
  | ListRequest
  | ReceiptReply
  | ReceiptRequest
  | Session
  | StartReply
  | StartRequest
  | Status
  | StatusEvent;
/**
 * The statuses that this version knows. The provider adds others, and the bridge passes them on.
 */
export type Status =
  | 'created'
  | 'initialized'
  | 'declined'
  | 'reserved'
  | 'uncleared'
  | 'shipped'
  | 'completed'
  | 'cancelled'
  | 'expired'
  | 'void'
  | 'unresolved'
  | 'not_created'
  | 'reversed'
  | 'refunded'
  | 'partial_refunded'
  | 'chargeback'
  | 'chargedback'
  | (string & {});

/**
 * The status that the order has now. For an order that is over, its final status.
 */
export interface CancelReply {
  /**
   * The order.
   */
  order_id: string;
  /**
   * The terminal.
   */
  terminal_id: string;
  /**
   * The status that the order has now; created while there is none. Its event may arrive later. It need not be cancelled: the payment may have ended before.
   */
  status: Status;
}
/**
 * Asks for a payment to be cancelled. The change itself arrives as a status event. Unknown fields are refused.
 */
export interface CancelRequest {
  /**
   * The terminal. It may be left out on a subject that is bound to a terminal, and must not name another one there.
   */
  terminal_id?: string;
  /**
   * The order.
   */
  order_id: string;
}
/**
 * Why a command was not carried out. The headers Nats-Service-Error-Code and Nats-Service-Error say it too.
 */
export interface ErrorReply {
  /**
   * The reason.
   */
  error: {
    /**
     * The reason, for programs.
     */
    code:
      | 'invalid_request'
      | 'unknown_terminal'
      | 'not_found'
      | 'terminal_busy'
      | 'order_conflict'
      | 'provider_rejected'
      | 'provider_error'
      | 'provider_unavailable'
      | 'shutting_down'
      | 'outcome_unknown';
    /**
     * The reason, for people. Its wording may change.
     */
    message: string;
    /**
     * True when the same request may safely be sent again. Decide by code what to do: retryable does not say when to send it, or whether that helps.
     */
    retryable: boolean;
    /**
     * What the provider answered, if it answered.
     */
    provider?: {
      /**
       * HTTP status of the answer.
       */
      http_status: number;
      /**
       * The provider's code; 0 when it gave none.
       */
      error_code: number;
      /**
       * The provider's words, with secrets and card numbers removed; empty when it gave none.
       */
      error_info: string;
    };
  };
}
/**
 * Asks for everything that is known about one order. Unknown fields are refused.
 */
export interface GetRequest {
  /**
   * The terminal. It may be left out on a subject that is bound to a terminal, and must not name another one there.
   */
  terminal_id?: string;
  /**
   * The order.
   */
  order_id: string;
}
/**
 * An event of the provider that the bridge could not understand. It is not a change of status; a person may look at it.
 */
export interface InvalidEvent {
  /**
   * The order in whose event stream it arrived.
   */
  order_id: string;
  /**
   * The terminal.
   */
  terminal_id: string;
  /**
   * The provider's id of the session. Left out while it is not known; it is never made up.
   */
  session_id?: string;
  /**
   * What is wrong with it, in words.
   */
  reason: string;
  /**
   * The event's type as the provider sent it.
   */
  event: string;
  /**
   * What the provider sent, with secrets and card numbers removed: at most 4 KiB.
   */
  data: string;
  /**
   * When the bridge read it, by its own clock, in UTC.
   */
  observed_at: string;
}
/**
 * The active sessions of all terminals.
 */
export interface ListReply {
  /**
   * One for each terminal with an open payment, and no others.
   */
  sessions: Session[];
  /**
   * Terminals that the bridge serves, sorted, as far as it knows them without asking the provider; absent when it knows none, or more than 1000.
   *
   * Items: A terminal.
   */
  terminals?: string[];
}
/**
 * One order, as get returns it, and list for each active session.
 */
export interface Session {
  /**
   * The order.
   */
  order_id: string;
  /**
   * The terminal.
   */
  terminal_id: string;
  /**
   * The provider's id of the session. Left out while it is not known; it is never made up.
   */
  session_id?: string;
  /**
   * The last published status; created while there is none.
   */
  status: Status;
  /**
   * The provider's financial status; empty when there is none.
   */
  financial_status: string;
  /**
   * The provider's id of the transaction; empty when there is none.
   */
  transaction_id: string;
  /**
   * True once no further change of the payment itself is expected.
   */
  final: boolean;
  /**
   * Sequence of the last status event; 0 while there is none.
   */
  sequence: number;
  /**
   * True while the session is followed and holds its terminal.
   */
  active: boolean;
  /**
   * The requested amount in the currency's smallest unit: 1250 is 12.50 EUR, or 1250 JPY. Written without a fraction and without an exponent.
   */
  amount: number;
  /**
   * What was charged, if the provider reports another amount: a tip, or a partial approval. Left out while it is not known, and when it is the same.
   */
  amount_charged?: number;
  /**
   * An ISO 4217 code, in capitals.
   */
  currency: string;
  /**
   * The replica that follows the session, or followed it last.
   */
  replica: string;
  /**
   * When the session was started, in UTC.
   */
  started_at: string;
  /**
   * When the session last changed, in UTC.
   */
  updated_at: string;
}
/**
 * Asks for the active sessions. It is empty; unknown fields are refused.
 */
export interface ListRequest {}
/**
 * The content of a printed receipt of an order, from the provider. The bridge neither stores nor logs it. Strings that the provider did not send are left out.
 */
export interface ReceiptReply {
  /**
   * The order.
   */
  order_id: string;
  /**
   * The terminal.
   */
  terminal_id: string;
  /**
   * The fields of the provider's receipt that are passed on. Times are as the provider writes them: local time without a zone.
   */
  receipt: {
    /**
     * Head of the receipt.
     */
    merchant: {
      /**
       * Name of the shop.
       */
      name?: string;
      /**
       * Address of the shop.
       */
      address?: string;
    };
    /**
     * What was sold.
     */
    order: {
      /**
       * What was charged, with the tip, in the currency's smallest unit.
       */
      amount: number;
      /**
       * The refunded part of amount, in the currency's smallest unit.
       */
      amount_refunded: number;
      /**
       * An ISO 4217 code, in capitals.
       */
      currency: string;
      /**
       * The part of amount that the customer added, in the currency's smallest unit; 0 when there is none.
       */
      tip: number;
      /**
       * What was sold, line by line; empty if the provider does not know.
       *
       * Items: One line.
       */
      items: {
        /**
         * What it is.
         */
        name: string;
        /**
         * How many: a decimal number such as "2" or "0.5".
         */
        quantity?: string;
        /**
         * Price of one, in the currency's smallest unit.
         */
        unit_price: number;
        /**
         * Price of the line, in the currency's smallest unit.
         */
        price: number;
      }[];
      /**
       * The provider's status of the order.
       */
      status?: string;
      /**
       * The provider's financial status of the order.
       */
      financial_status?: string;
      /**
       * The provider's id of the transaction.
       */
      transaction_id?: string;
      /**
       * When the order was created.
       */
      created?: string;
      /**
       * When the order was paid.
       */
      completed?: string;
    };
    /**
     * How it was paid: the lines that a card receipt must have.
     */
    payment: {
      /**
       * Card scheme, such as MASTERCARD.
       */
      payment_method?: string;
      /**
       * The last four digits of the card number. The bridge never passes on any other digit.
       */
      last4?: string;
      /**
       * How the card was read, such as ICC_CONTACTLESS.
       */
      card_entry_mode?: string;
      /**
       * How the cardholder was verified, such as NO_CVM.
       */
      cardholder_verification_method?: string;
      /**
       * EMV application of the card (AID), in hexadecimal digits.
       */
      application_id?: string;
      /**
       * Authorization code of the card issuer.
       */
      authorization_code?: string;
      /**
       * Response code of the card issuer.
       */
      response_code?: string;
      /**
       * The terminal that took the card, as the provider writes it.
       */
      terminal_id?: string;
    };
    /**
     * Refunds and reversals of the order; empty if there are none.
     *
     * Items: A refund or a reversal.
     */
    related_transactions: {
      /**
       * What it is, such as refund.
       */
      type?: string;
      /**
       * Amount in the smallest unit of its currency.
       */
      amount: number;
      /**
       * An ISO 4217 code, in capitals.
       */
      currency?: string;
      /**
       * The provider's status of it.
       */
      status?: string;
      /**
       * The provider's id of it.
       */
      transaction_id?: string;
      /**
       * When it was made.
       */
      created?: string;
    }[];
    /**
     * When the provider wrote the receipt.
     */
    printed_on?: string;
  };
}
/**
 * Asks for the content of a printed receipt of one order. Unknown fields are refused.
 */
export interface ReceiptRequest {
  /**
   * The terminal. It may be left out on a subject that is bound to a terminal, and must not name another one there.
   */
  terminal_id?: string;
  /**
   * The order.
   */
  order_id: string;
}
/**
 * The order exists at the provider, and the session would survive the replica that answered.
 */
export interface StartReply {
  /**
   * The order.
   */
  order_id: string;
  /**
   * The terminal.
   */
  terminal_id: string;
  /**
   * The provider's id of the session. Left out while it is not known; it is never made up.
   */
  session_id?: string;
  /**
   * The last published status; created while there is none.
   */
  status: Status;
  /**
   * Where the order's status events are published.
   */
  status_subject: string;
  /**
   * True when this request created the order; false when the order existed already, with a payment that is open or over.
   */
  created: boolean;
}
/**
 * Asks for a payment on a terminal. Unknown fields are refused. An optional field that is empty counts as left out.
 */
export interface StartRequest {
  /**
   * The order. Unique for the site; the same request again gets the same session.
   */
  order_id: string;
  /**
   * The terminal. It may be left out on a subject that is bound to a terminal, and must not name another one there.
   */
  terminal_id?: string;
  /**
   * Amount in the currency's smallest unit: 1250 is 12.50 EUR, or 1250 JPY. Written without a fraction and without an exponent.
   */
  amount: number;
  /**
   * An active ISO 4217 code, in capitals.
   */
  currency:
    | 'AED'
    | 'AFN'
    | 'ALL'
    | 'AMD'
    | 'AOA'
    | 'ARS'
    | 'AUD'
    | 'AWG'
    | 'AZN'
    | 'BAM'
    | 'BBD'
    | 'BDT'
    | 'BHD'
    | 'BIF'
    | 'BMD'
    | 'BND'
    | 'BOB'
    | 'BOV'
    | 'BRL'
    | 'BSD'
    | 'BTN'
    | 'BWP'
    | 'BYN'
    | 'BZD'
    | 'CAD'
    | 'CDF'
    | 'CHE'
    | 'CHF'
    | 'CHW'
    | 'CLF'
    | 'CLP'
    | 'CNY'
    | 'COP'
    | 'COU'
    | 'CRC'
    | 'CUP'
    | 'CVE'
    | 'CZK'
    | 'DJF'
    | 'DKK'
    | 'DOP'
    | 'DZD'
    | 'EGP'
    | 'ERN'
    | 'ETB'
    | 'EUR'
    | 'FJD'
    | 'FKP'
    | 'GBP'
    | 'GEL'
    | 'GHS'
    | 'GIP'
    | 'GMD'
    | 'GNF'
    | 'GTQ'
    | 'GYD'
    | 'HKD'
    | 'HNL'
    | 'HTG'
    | 'HUF'
    | 'IDR'
    | 'ILS'
    | 'INR'
    | 'IQD'
    | 'IRR'
    | 'ISK'
    | 'JMD'
    | 'JOD'
    | 'JPY'
    | 'KES'
    | 'KGS'
    | 'KHR'
    | 'KMF'
    | 'KPW'
    | 'KRW'
    | 'KWD'
    | 'KYD'
    | 'KZT'
    | 'LAK'
    | 'LBP'
    | 'LKR'
    | 'LRD'
    | 'LSL'
    | 'LYD'
    | 'MAD'
    | 'MDL'
    | 'MGA'
    | 'MKD'
    | 'MMK'
    | 'MNT'
    | 'MOP'
    | 'MRU'
    | 'MUR'
    | 'MVR'
    | 'MWK'
    | 'MXN'
    | 'MXV'
    | 'MYR'
    | 'MZN'
    | 'NAD'
    | 'NGN'
    | 'NIO'
    | 'NOK'
    | 'NPR'
    | 'NZD'
    | 'OMR'
    | 'PAB'
    | 'PEN'
    | 'PGK'
    | 'PHP'
    | 'PKR'
    | 'PLN'
    | 'PYG'
    | 'QAR'
    | 'RON'
    | 'RSD'
    | 'RUB'
    | 'RWF'
    | 'SAR'
    | 'SBD'
    | 'SCR'
    | 'SDG'
    | 'SEK'
    | 'SGD'
    | 'SHP'
    | 'SLE'
    | 'SOS'
    | 'SRD'
    | 'SSP'
    | 'STN'
    | 'SVC'
    | 'SYP'
    | 'SZL'
    | 'THB'
    | 'TJS'
    | 'TMT'
    | 'TND'
    | 'TOP'
    | 'TRY'
    | 'TTD'
    | 'TWD'
    | 'TZS'
    | 'UAH'
    | 'UGX'
    | 'USD'
    | 'USN'
    | 'UYI'
    | 'UYU'
    | 'UYW'
    | 'UZS'
    | 'VED'
    | 'VES'
    | 'VND'
    | 'VUV'
    | 'WST'
    | 'XAD'
    | 'XAF'
    | 'XCD'
    | 'XCG'
    | 'XOF'
    | 'XPF'
    | 'YER'
    | 'ZAR'
    | 'ZMW'
    | 'ZWG';
  /**
   * What the payment is for. The order id when left out.
   */
  description?: string;
  /**
   * Passed on to the provider.
   */
  customer?: {
    /**
     * Language and country of the texts that the payer sees, like nl_NL.
     */
    locale?: string;
    /**
     * E-mail address of the payer.
     */
    email?: string;
    /**
     * Phone number of the payer.
     */
    phone?: string;
    /**
     * First name of the payer.
     */
    first_name?: string;
    /**
     * Last name of the payer.
     */
    last_name?: string;
  };
  /**
   * Where the provider sends its webhook, besides the status events. The provider calls only an https URL without port and query, of letters, digits and - _ . : / only.
   */
  notification_url?: string;
  /**
   * For the requester's own use. Passed on to the provider.
   */
  custom_info?: {
    /**
     * For the requester's own use.
     */
    custom_1?: string;
    /**
     * For the requester's own use.
     */
    custom_2?: string;
    /**
     * For the requester's own use.
     */
    custom_3?: string;
  };
}
/**
 * One change of an order's status. Each is stored once in the stream, in order, and published once.
 */
export interface StatusEvent {
  /**
   * The order.
   */
  order_id: string;
  /**
   * The terminal.
   */
  terminal_id: string;
  /**
   * The provider's id of the session. Left out while it is not known; it is never made up.
   */
  session_id?: string;
  /**
   * The provider's id of the transaction; empty when there is none.
   */
  transaction_id: string;
  /**
   * The new status, in lower case as the provider spells it. Two are the bridge's own: unresolved (it gave the session up, and the payment must be looked up at the provider) and not_created (the order does not exist at the provider, and a new order id may be charged).
   */
  status: Status;
  /**
   * The provider's financial status; empty when there is none.
   */
  financial_status: string;
  /**
   * The previous status; empty on the first event.
   */
  previous_status: string;
  /**
   * True for completed, cancelled, expired, void, unresolved, not_created, reversed, refunded, partial_refunded, chargeback and chargedback, and for what follows one of them. The terminal is free. Nothing follows unresolved and not_created.
   */
  final: boolean;
  /**
   * Counts 1, 2, 3… per order, without gaps.
   */
  sequence: number;
  /**
   * How the bridge learnt it: from the event stream (stream), by asking for the order (reconcile), or by its own decision (bridge: unresolved and not_created).
   */
  source: 'stream' | 'reconcile' | 'bridge';
  /**
   * The requested amount in the currency's smallest unit: 1250 is 12.50 EUR, or 1250 JPY. Written without a fraction and without an exponent.
   */
  amount: number;
  /**
   * What was charged, if the provider reports another amount: a tip, or a partial approval. Left out while it is not known, and when it is the same.
   */
  amount_charged?: number;
  /**
   * Why the bridge ended the session, in words. Only with unresolved and not_created.
   */
  reason?: string;
  /**
   * An ISO 4217 code, in capitals.
   */
  currency: string;
  /**
   * When the bridge learnt the status, by its own clock, in UTC.
   */
  observed_at: string;
}
