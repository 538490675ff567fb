package simulator

import (
	"github.com/posbridge/bridge/internal/simulator/calls"
	"github.com/posbridge/bridge/internal/simulator/control"
	"github.com/posbridge/bridge/internal/simulator/fault"
	"github.com/posbridge/bridge/internal/simulator/orders"
	"github.com/posbridge/bridge/internal/simulator/scenario"
	"github.com/posbridge/bridge/internal/simulator/view"
	"github.com/posbridge/bridge/internal/simulator/webhook"
	"github.com/posbridge/bridge/internal/simulator/wire"
)

// The operations that tests of other packages name.
const (
	OpCreate    = calls.OpCreate
	OpGet       = calls.OpGet
	OpCancel    = calls.OpCancel
	OpTerminals = calls.OpTerminals
)

// Fault is something that shall go wrong.
type Fault = fault.Fault

// FaultName names something that can go wrong.
type FaultName = fault.Name

// Always is the Count of a fault that stays until it is taken back.
const Always = fault.Always

// The faults that tests of other packages set.
const (
	FaultFailAPI          = fault.FailAPI
	FaultStaleGet         = fault.StaleGet
	FaultHistory          = fault.History
	FaultLoseAnswer       = fault.LoseAnswer
	FaultLoseCreateAnswer = fault.LoseCreateAnswer
	FaultOddAnswer        = fault.OddAnswer
	FaultOddEvent         = fault.OddEvent
	FaultOddPager         = fault.OddPager
	FaultRedirect         = fault.Redirect
	FaultSilentStream     = fault.SilentStream
	FaultSlowAPI          = fault.SlowAPI
	HistoryIDs            = fault.HistoryIDs
	HistoryReplay         = fault.HistoryReplay
	HistoryReplayIDs      = fault.HistoryReplayIDs
	LoseByCut             = fault.LoseByCut
	LoseByHTML            = fault.LoseByHTML
	LoseByHang            = fault.LoseByHang
	PagerNone             = fault.PagerNone
	PagerOffset           = fault.PagerOffset
	PagerPage             = fault.PagerPage
)

// Action is something done at a terminal.
type Action = scenario.Action

// The actions that tests of other packages do.
const (
	ActTap     = scenario.ActTap
	ActInsert  = scenario.ActInsert
	ActPIN     = scenario.ActPIN
	ActApprove = scenario.ActApprove
	ActDecline = scenario.ActDecline
	ActCancel  = scenario.ActCancel
	ActReverse = scenario.ActReverse
	ActRefund  = scenario.ActRefund
)

// Scenario names what the virtual customer and the card's issuer do.
type Scenario = scenario.Scenario

// The scenarios that tests of other packages ask for.
const (
	Approve                = scenario.Approve
	ApproveInPart          = scenario.ApproveInPart
	ApproveWithTip         = scenario.ApproveWithTip
	StepUpThenApprove      = scenario.StepUpThenApprove
	SoftDeclineThenApprove = scenario.SoftDeclineThenApprove
	WaitForHand            = scenario.WaitForHand
	WalkAway               = scenario.WalkAway
)

// Scenarios lists every scenario in the order in which they are documented.
func Scenarios() []scenario.Info { return scenario.All() }

// Group is a terminal group: the terminals that one API key serves.
type Group = orders.GroupOptions

// Order is what the simulator knows of an order, at one moment.
type Order = view.Order

// Guide is what surrounds a simulator, as far as it is known.
type Guide = view.Guide

// Till starts a payment at the bridge, and returns its order id.
type Till = control.Till

// Asked is a payment that somebody asks for on the page.
type Asked = control.Asked

// The card that every virtual customer uses: see the package wire.
const (
	CardHolder            = wire.CardHolder
	CardMaskedPAN         = wire.CardMaskedPAN
	CardLast4             = wire.CardLast4
	CardExpiry            = wire.CardExpiry
	CardAuthorizationCode = wire.CardAuthorizationCode
	CardEMV               = wire.CardEMV
	CardPAN               = wire.CardPAN
)

// CardData lists the card data that answers and faults carry and that cannot
// appear in a program's output by chance.
func CardData() []string { return wire.CardData() }

// WebhookAuth is the value of a webhook's Auth header.
func WebhookAuth(apiKey, timestamp string, body []byte) string {
	return webhook.Auth(apiKey, timestamp, body)
}
