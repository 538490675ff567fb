package commands

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"go.uber.org/zap"

	"github.com/posbridge/bridge/internal/board"
	"github.com/posbridge/bridge/internal/bus"
	"github.com/posbridge/bridge/internal/payment"
	"github.com/posbridge/bridge/schema"
)

// orders answers the commands about orders that exist.
type orders struct {
	Options
	gets gets
}

func newOrders(o Options) *orders { return &orders{o, newGets()} }

// known is what is stored about one order.
type known struct {
	log payment.Log
	// session is what get shows; active sessions may lack the newest transaction.
	session schema.Session
	// group is the id of the terminal group whose key the order goes by.
	group string
}

// reader reads an order's log.
type reader func(ctx context.Context, terminal, order string, all bool) (payment.Log, error)

// find looks an order up: its log, and the queue while nobody has claimed it.
func (o *orders) find(ctx context.Context, ref board.Ref, read reader) (*known, *schema.Error) {
	k, err := retry(ctx, func() (*known, error) {
		log, err := read(ctx, ref.Terminal, ref.Order, false)
		if err != nil {
			return nil, err
		}
		last := log.Newest()
		if last != nil || log.Claim != nil && log.Claim.Phase != payment.ClaimClosed {
			k := &known{log: log, session: board.EntryOf(ref, log).Session()}
			if last != nil {
				k.group = last.Group
			}
			if log.Claim != nil {
				k.group = log.Claim.Session.Group
			}
			return k, nil
		}
		queued, err := o.Bus.Queued(ctx, ref.Terminal)
		switch {
		case errors.Is(err, bus.ErrNotFound):
			return nil, nil
		case err != nil:
			return nil, err
		case queued.Session.Order() != ref.Order || log.Claim != nil && log.Claim.QueueSeq >= queued.Seq:
			return nil, nil
		}
		r := queued.Session.Request
		return &known{log: log, group: queued.Session.Group, session: schema.Session{
			OrderID: ref.Order, TerminalID: ref.Terminal, Status: schema.StatusCreated, Active: true,
			Amount: r.Amount, Currency: r.Currency, StartedAt: queued.StoredAt, UpdatedAt: queued.StoredAt,
		}}, nil
	})
	if err != nil {
		o.Log.Warn("Could not look up an order", zap.Error(err))
		return nil, busSilent.answer()
	}
	if k == nil {
		return nil, orderUnknown.answer(ref.Order, ref.Terminal)
	}
	return k, nil
}

// maxGets is of how many orders get remembers what it showed.
const maxGets = 4096

// gets remembers what get showed last.
type gets struct {
	orders *lru.Cache[board.Ref, shown]
}

// shown is what get showed of an order.
type shown struct {
	// seq is the last sequence of the log that was shown: nothing older is shown.
	seq uint64
	// asked is when the provider was last asked for it.
	asked time.Time
}

func newGets() gets {
	orders, _ := lru.New[board.Ref, shown](maxGets) // fails only for a size that is not positive
	return gets{orders}
}

// askPause is how long the provider's last answer about an unpaid order is good.
const askPause = time.Second

// mayAsk reports whether the provider is to be asked for an unpaid order, and
// notes that it is.
func (g gets) mayAsk(ref board.Ref, now time.Time) bool {
	last, _ := g.orders.Get(ref)
	if now.Sub(last.asked) < askPause {
		return false
	}
	last.asked = now
	g.orders.Add(ref, last)
	return true
}

func (g gets) showed(ref board.Ref, seq uint64) {
	last, _ := g.orders.Get(ref)
	last.seq = max(last.seq, seq)
	g.orders.Add(ref, last)
}

// newsLimit is how long get waits for the owner of an open payment.
const newsLimit = 250 * time.Millisecond

// get tells what is known of one order, open or over.
func (o *orders) get(ctx context.Context, ref board.Ref) (any, *schema.Error) {
	k, failure := o.find(ctx, ref, o.readNewest)
	if failure == nil {
		if last := k.log.Newest(); last != nil && payment.EndsUnpaid(last.Event.Status) && o.gets.mayAsk(ref, time.Now()) && o.ask(ctx, ref) {
			k, failure = o.find(ctx, ref, o.readNewest)
		}
	}
	if failure != nil {
		return nil, failure
	}
	o.gets.showed(ref, k.log.Last)
	if claim := k.log.Claim; k.session.Active && claim != nil {
		o.addNews(ctx, ref, claim.Owner, &k.session)
	}
	return k.session, nil
}

// readNewest reads a log that is not older than what this replica has shown of it.
func (o *orders) readNewest(ctx context.Context, terminal, order string, all bool) (payment.Log, error) {
	ref := board.Ref{Terminal: terminal, Order: order}
	log, err := o.Bus.ReadLogFast(ctx, terminal, order, all)
	shown, _ := o.gets.orders.Get(ref)
	if e, _ := o.Board.Get(ref); err == nil && log.Last >= max(shown.seq, e.Seq) {
		return log, nil
	}
	return o.Bus.ReadLog(ctx, terminal, order, all)
}

// ask has the provider asked for an order that ended unpaid. It reports whether
// there may be news.
func (o *orders) ask(ctx context.Context, ref board.Ref) bool {
	ctx, cancel := context.WithTimeout(ctx, o.RequestTimeout)
	defer cancel()
	return o.Owner.Look(ctx, ref.Terminal, ref.Order) == nil
}

// addNews adds what the owner of an open payment knows and has not published.
func (o *orders) addNews(ctx context.Context, ref board.Ref, owner string, session *schema.Session) {
	ctx, cancel := context.WithTimeout(ctx, newsLimit)
	defer cancel()
	transaction, financial, ok := o.Owner.News(ctx, ref, owner)
	if !ok {
		return
	}
	if transaction != "" {
		session.TransactionID = transaction
	}
	if financial != "" {
		session.FinancialStatus = financial
	}
}

// cancel has the order cancelled by whoever follows it. An order that is over is
// left as it is.
func (o *orders) cancel(ctx context.Context, ref board.Ref) (any, *schema.Error) {
	k, failure := o.find(ctx, ref, o.Bus.ReadLog)
	if failure != nil && failure.Code == schema.NotFound {
		if _, err := o.Groups.Lookup(ctx, ref.Terminal); err != nil {
			if unserved := lookupFailure(ref.Terminal, err); unserved.Code == schema.UnknownTerminal {
				return nil, unserved
			}
		}
	}
	if failure != nil {
		return nil, failure
	}
	status := k.session.Status
	if k.session.Active {
		if status, failure = o.Owner.Cancel(ctx, ref.Terminal, ref.Order); failure != nil {
			return nil, failure
		}
	}
	return schema.CancelReply{OrderID: ref.Order, TerminalID: ref.Terminal, Status: cmp.Or(status, schema.StatusCreated)}, nil
}

// receipt returns what the provider has for a printed receipt. Nothing of it is
// stored or logged.
func (o *orders) receipt(ctx context.Context, ref board.Ref) (any, *schema.Error) {
	k, failure := o.find(ctx, ref, o.readNewest)
	if failure != nil {
		return nil, failure
	}
	group, ok := o.Groups.ByID(k.group)
	if !ok {
		var err error
		if group, err = o.Groups.Lookup(ctx, ref.Terminal); err != nil {
			return nil, lookupFailure(ref.Terminal, err)
		}
	}
	receipt, err := o.Provider.Receipt(ctx, group.Key, ref.Order)
	if err != nil {
		return nil, receiptFailure(err)
	}
	receipt.Order.Currency = cmp.Or(receipt.Order.Currency, k.session.Currency)
	return schema.ReceiptReply{OrderID: ref.Order, TerminalID: ref.Terminal, Receipt: receipt}, nil
}

// list tells of the active sessions, ordered by terminal.
func (o *orders) list(ctx context.Context) (any, *schema.Error) {
	ctx, cancel := context.WithTimeout(ctx, o.RequestTimeout)
	defer cancel()
	// Complete up to the request: a payment whose start was answered is in it.
	seq, err := retry(ctx, func() (uint64, error) { return o.Bus.LastSeq(ctx) })
	if err == nil {
		err = o.Board.Synced(ctx, seq)
	}
	if err != nil {
		o.Log.Warn("Could not list the sessions", zap.Error(err))
		return nil, busSilent.answer()
	}
	active := o.Board.Active()
	sessions := make([]schema.Session, 0, len(active))
	for _, e := range active {
		sessions = append(sessions, e.Session())
	}
	return schema.ListReply{Sessions: sessions, Terminals: o.terminals()}, nil
}

// maxTerminals bounds how many terminals a list names: with more of them a person does
// not look for one in a list, and the answer would not fit into a message.
const maxTerminals = 1000

// terminals are those that the bridge serves, as far as they are known without asking
// for them; none if they are too many.
func (o *orders) terminals() []string {
	known := o.Groups.Terminals()
	if len(known) == 0 || len(known) > maxTerminals {
		return nil
	}
	return slices.Sorted(maps.Keys(known))
}
