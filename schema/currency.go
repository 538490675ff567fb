package schema

import (
	"slices"
	"strings"
)

// activeCurrencies are the active alphabetic codes of ISO 4217 (list one as of
// 2026-01-01), by how many digits of an amount stand behind the decimal point.
// Left out are the codes that have no smallest unit to pay in: metals, bond
// units, XDR, XSU, XUA, and XTS and XXX, which are no currencies.
var activeCurrencies = map[int]string{
	0: `
		BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF`,
	2: `
		AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD
		CAD CDF CHE CHF CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP
		GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK
		LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO
		NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS
		SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST
		XAD XCD XCG YER ZAR ZMW ZWG`,
	3: `
		BHD IQD JOD KWD LYD OMR TND`,
	4: `
		CLF UYW`,
}

// currencyDigits is activeCurrencies by code.
var currencyDigits = func() map[string]int {
	digits := map[string]int{}
	for n, codes := range activeCurrencies {
		for code := range strings.FieldsSeq(codes) {
			digits[code] = n
		}
	}
	return digits
}()

// Currencies lists every currency that an amount can be in, sorted.
func Currencies() []string {
	codes := make([]string, 0, len(currencyDigits))
	for code := range currencyDigits {
		codes = append(codes, code)
	}
	slices.Sort(codes)
	return codes
}

// CurrencyKnown reports whether code is one of Currencies. It is for capitals
// only: "eur" is not known.
func CurrencyKnown(code string) bool {
	_, ok := currencyDigits[code]
	return ok
}

// CurrencyDigits returns how many digits of an amount in the currency's
// smallest unit stand behind the decimal point: 2 for EUR, where 1250 is 12.50,
// 0 for JPY, 3 for KWD. ok is false for a code that is not known.
func CurrencyDigits(code string) (digits int, ok bool) {
	digits, ok = currencyDigits[code]
	return digits, ok
}
