Feature: Evaluation contexts
  Who a flag is evaluated for, and how the levels of a program add to that.

  Background:
    Given a provider with the flags

  @3.1.1 @3.1.2 @2.2.1
  Scenario Outline: Attributes of every type reach the rules
    Given attributes <attributes> from the invocation
    When the string flag "guests" is evaluated for "ada" with the default "d"
    Then the value is "<value>"

    Examples:
      | attributes                                       | value   |
      | {"country": "se", "age": 29, "member": true}     | inside  |
      | {"country": "se", "age": 29.5, "member": true}   | inside  |
      | {"country": "se", "age": 30, "member": true}     | outside |
      | {"country": "se", "age": 29, "member": false}    | outside |
      | {"country": "no", "age": 29, "member": true}     | outside |
      | {"address": {"town": "Lund", "street": "Allen"}} | inside  |
      | {"address": {"town": "Oslo"}}                    | outside |
      | {"tags": ["old", "vip"]}                         | inside  |
      | {"tags": ["old"]}                                | outside |

  @3.1.2
  Scenario Outline: A moment in time is one that rules compare
    Given an attribute "joined" of the moment <moment> from the invocation
    When the string flag "guests" is evaluated for "ada" with the default "d"
    Then the value is "<value>"

    Examples:
      | moment                    | value   |
      | 2020-01-01T00:00:01+00:00 | inside  |
      | 2020-01-01T01:00:00+02:00 | outside |
      | 2019-12-31T23:59:59+00:00 | outside |

  @3.2.1.1
  Scenario Outline: Each level may supply the context
    Given an attribute "from" of "<level>" from the <level>
    When the string flag "level" is evaluated for "ada" with the default "d"
    Then the value is "<level>"

    Examples:
      | level       |
      | api         |
      | transaction |
      | client      |
      | invocation  |
      | hook        |

  @3.2.3 @3.3.1.1 @3.3.1.2.1 @4.3.4 @4.3.5
  Scenario Outline: The nearer level wins
    Given an attribute "from" of "<farther>" from the <farther>
    And an attribute "from" of "<nearer>" from the <nearer>
    When the string flag "level" is evaluated for "ada" with the default "d"
    Then the value is "<nearer>"

    Examples:
      | farther     | nearer      |
      | api         | transaction |
      | transaction | client      |
      | client      | invocation  |
      | invocation  | hook        |
      | api         | hook        |

  @3.2.3
  Scenario: What levels say of different attributes is put together
    Given an attribute "country" of "se" from the api
    And an attribute "age" of 20 from the client
    And an attribute "member" of true from the hook
    When the string flag "guests" is evaluated for "ada" with the default "d"
    Then the value is "inside"

  @3.2.3
  Scenario: The targeting key of a nearer level is the one that counts
    Given the targeting key "grace" from the api
    When the string flag "guests" is evaluated for nobody with the default "d"
    Then the value is "inside"
    When the string flag "guests" is evaluated for "ada" with the default "d"
    Then the value is "outside"
