Feature: Metadata
  Who a client asks, and what is known of a flag besides its value.

  Background:
    Given a provider with the flags

  @1.1.5 @2.1.1
  Scenario: The provider has a name
    Then the provider is called "flagstone"

  @1.1.3 @1.1.6 @1.1.7 @1.2.2
  Scenario: A domain has a provider and clients of its own
    Given a provider without flags for the domain "billing"
    Then the client of the domain "billing" tells its domain
    When the boolean flag "yes" is evaluated by the client of "billing" for "ada" with the default false
    Then the error is FLAG_NOT_FOUND, with the reason "ERROR" and no variant
    When the boolean flag "yes" is evaluated by the client of "anything else" for "ada" with the default false
    Then the value is true

  @1.4.14 @2.2.9 @2.2.10
  Scenario Outline: Details have metadata of the flag
    When the string flag "<flag>" is evaluated for "<who>" with the default "d"
    Then the metadata of the flag are <metadata>

    Examples:
      | flag     | who   | metadata                                                                             |
      | greeting | ada   | {"contextId": "ada", "version": "11", "variationIndex": 0}                           |
      | guests   | grace | {"contextId": "grace", "version": "21", "variationIndex": 0}                         |
      | trial    | ada   | {"contextId": "ada", "version": "23", "variationIndex": 0, "inExperiment": true}     |
      | depends  | ada   | {"contextId": "ada", "version": "19", "variationIndex": 1, "prerequisiteKey": "switched-off"} |

  @1.4.14
  Scenario: The rule that matched is told
    Given an attribute "address" of {"town": "Lund"} from the invocation
    When the string flag "guests" is evaluated for "ada" with the default "d"
    Then the metadata of the flag are {"contextId": "ada", "version": "21", "variationIndex": 0, "ruleIndex": 1, "ruleId": "in-town"}

  @2.2.10
  Scenario: A flag that there is not has metadata of the context alone
    When the string flag "missing" is evaluated for "ada" with the default "d"
    Then the metadata of the flag are {"contextId": "ada"}
