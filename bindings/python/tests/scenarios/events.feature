Feature: Events and status of the provider
  How a program hears that flags can be relied on, or not, and that they have changed.

  @1.1.2.1 @1.1.2.2 @1.1.2.4 @1.7.1 @1.7.3 @2.8.2 @5.3.1 @5.2.3
  Scenario: A provider that has flags is ready, which is told once
    Given a handler of READY at the api
    And a provider with the flags
    Then the status is READY
    And READY was told once by "flagstone"

  @5.3.3 @5.2.1 @5.2.2
  Scenario: A handler that comes later hears at once
    Given a provider with the flags
    When a handler of READY is added to the client
    Then READY was told once by "flagstone"

  @1.7.1 @1.7.4 @2.4.2.1 @2.8.3 @5.3.2 @5.1.4 @1.4.8
  Scenario: A provider that finds no flags in time is in error, and answers with defaults
    Given a handler of ERROR at the api
    When a provider is set whose Redis is not there
    Then setting it has failed with PROVIDER_NOT_READY
    And the status is ERROR
    And ERROR was told once by "flagstone"
    When the boolean flag "yes" is evaluated for "ada" with the default true
    Then the value is true
    And the error is PROVIDER_NOT_READY, with the reason "ERROR" and no variant

  @2.8.1 @5.1.1 @5.1.2 @5.3.5
  Scenario: While the source is away the provider is stale and answers with what it has
    Given a handler of STALE at the client
    And a handler of READY at the api
    And a provider with the flags
    When the source of the flags is away
    Then STALE is told, and the status was STALE already
    When the boolean flag "yes" is evaluated for "ada" with the default false
    Then the value is true
    And the details tell the key "yes", the variant "1" and the reason "STALE"
    When the source of the flags is back
    Then the status is READY
    And READY was told twice by "flagstone"

  @5.1.4 @5.1.5 @1.7.5
  Scenario: A source that has failed for good is an error that is not fatal
    Given a handler of ERROR at the api
    And a provider with the flags
    When the source of the flags has failed for good
    Then the status is ERROR
    And ERROR was told with the code GENERAL and a message
    When the boolean flag "yes" is evaluated for "ada" with the default false
    Then the value is true

  @5.1.1 @5.1.2
  Scenario: A change is told with the key of the flag, and is in force by then
    Given a provider with the flags
    And a handler of CONFIGURATION_CHANGED at the client
    When the flag "yes" becomes false
    Then CONFIGURATION_CHANGED is told with the flag "yes"
    When the boolean flag "yes" is evaluated for "ada" with the default true
    Then the value is false

  @5.1.3
  Scenario: Clients of another provider hear nothing
    Given a provider with the flags
    And a provider without flags for the domain "billing"
    And a handler of STALE at the client of "billing"
    And a handler of STALE at the client
    When the source of the flags is away
    Then STALE is told, and the status was STALE already
    And the client of "billing" was told nothing

  @5.2.5 @5.2.7
  Scenario: A handler that raises keeps none from hearing, and one that was removed hears nothing
    Given a provider with the flags
    And a handler of STALE at the client that raises
    And a handler of STALE at the client that is removed
    And a handler of STALE at the client
    When the source of the flags is away
    Then STALE was told once by "flagstone"

  @1.6.1 @1.6.2 @1.7.6 @2.5.1 @2.5.2 @2.5.3 @1.1.2.3
  Scenario: After a shutdown the provider's client is closed
    Given a provider with the flags
    When the api is shut down
    And the provider is shut down once more
    Then the provider's client is off
    When the boolean flag "yes" is evaluated for "ada" with the default false
    Then the value is false

  @1.1.2.3 @5.2.6
  Scenario: Another provider takes over, and handlers stay
    Given a provider with the flags
    And a handler of CONFIGURATION_CHANGED at the client
    When another provider with the flags is set
    Then the first provider's client is off
    When the flag "yes" becomes false
    Then CONFIGURATION_CHANGED is told with the flag "yes"
