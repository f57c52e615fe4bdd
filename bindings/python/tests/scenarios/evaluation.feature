Feature: Evaluation of flags
  What a client answers, of which type, and why.

  Background:
    Given a provider with the flags

  @1.3.1.1 @1.3.3.1 @2.2.1 @2.2.2.1 @2.2.3
  Scenario Outline: A flag has a value of its type
    When the <type> flag "<flag>" is evaluated for "ada" with the default <default>
    Then the value is <value>

    Examples:
      | type    | flag     | default | value                                                |
      | boolean | yes      | false   | true                                                 |
      | string  | greeting | ""      | "hello"                                              |
      | integer | dozen    | 1       | 12                                                   |
      | float   | half     | 1.5     | 0.5                                                  |
      | float   | dozen    | 1.5     | 12.0                                                 |
      | object  | theme    | {}      | {"dark": true, "sizes": [9, 12.5], "name": "night"}  |
      | integer | zero     | 1       | 0                                                    |

  @1.4.12
  Scenario Outline: A coroutine gets the same
    When the <type> flag "<flag>" is evaluated in a coroutine for "ada" with the default <default>
    Then the value is <value>

    Examples:
      | type    | flag     | default | value   |
      | boolean | yes      | false   | true    |
      | string  | greeting | ""      | "hello" |
      | integer | dozen    | 1       | 12      |
      | float   | half     | 1.5     | 0.5     |

  @1.4.1.1 @1.4.3 @1.4.5 @1.4.6 @1.4.7 @2.2.4 @2.2.5 @2.2.6
  Scenario Outline: Details tell the key, the variant and the reason, and no error
    When the string flag "<flag>" is evaluated for "<who>" with the default "d"
    Then the value is "<value>"
    And the details tell the key "<flag>", the variant "<variant>" and the reason "<reason>"
    And there is no error

    Examples:
      | flag         | who   | value   | variant | reason              |
      | greeting     | ada   | hello   | 0       | FALLTHROUGH         |
      | guests       | grace | inside  | 0       | TARGETING_MATCH     |
      | guests       | ada   | outside | 1       | FALLTHROUGH         |
      | switched-off | ada   | off     | 1       | DISABLED            |
      | depends      | ada   | off     | 1       | PREREQUISITE_FAILED |
      | trial        | ada   | a       | 0       | FALLTHROUGH         |

  @2.2.4 @2.2.6
  Scenario: A flag that is off and serves nothing gives the default, which is no error
    When the string flag "nothing-when-off" is evaluated for "ada" with the default "d"
    Then the value is "d"
    And there is no variant, and the reason is "DISABLED"
    And there is no error

  @1.4.8 @1.4.9 @1.4.10 @2.2.7
  Scenario Outline: What goes wrong gives the default and says why
    When the <type> flag "<flag>" is evaluated for "ada" with the default <default>
    Then the value is <default>
    And the error is <code>, with the reason "ERROR" and no variant

    Examples:
      | type    | flag     | default    | code           |
      | boolean | missing  | true       | FLAG_NOT_FOUND |
      | object  | missing  | {"d": [1]} | FLAG_NOT_FOUND |
      | string  | broken   | "d"        | PARSE_ERROR    |
      | boolean | greeting | true       | TYPE_MISMATCH  |
      | string  | yes      | "d"        | TYPE_MISMATCH  |
      | integer | greeting | 3          | TYPE_MISMATCH  |
      | float   | yes      | 2.5        | TYPE_MISMATCH  |
      | object  | greeting | {"d": [1]} | TYPE_MISMATCH  |
      | string  | theme    | "d"        | TYPE_MISMATCH  |

  @1.4.8 @3.1.1
  Scenario: Nobody to evaluate for is an error
    When the boolean flag "yes" is evaluated for nobody with the default false
    Then the value is false
    And the error is TARGETING_KEY_MISSING, with the reason "ERROR" and no variant

  @1.3.4
  Scenario Outline: A number has the type that was asked for
    When the <type> flag "<flag>" is evaluated for "ada" with the default <default>
    Then the value is <value> and of the type <python>

    Examples:
      | type    | flag  | default | value | python |
      | integer | dozen | 1       | 12    | int    |
      | float   | dozen | 1.5     | 12.0  | float  |
      | float   | half  | 1.5     | 0.5   | float  |
      | integer | half  | 1       | 0     | int    |
