Feature: Hooks
  A program's own code around an evaluation.

  Background:
    Given a provider with the flags

  @1.1.4 @1.2.1 @1.5.1 @4.4.1 @4.4.2 @2.3.1
  Scenario: Hooks of all levels run around the evaluation like a stack
    Given a hook "api" of the api
    And a hook "client" of the client
    And a hook "invocation" of the invocation
    When the boolean flag "yes" is evaluated for "ada" with the default false
    Then the value is true
    And the hooks ran in the order
      """
      api before
      client before
      invocation before
      invocation after
      client after
      api after
      invocation finally
      client finally
      api finally
      """

  @4.1.1 @4.1.2 @4.3.6 @4.3.8
  Scenario: Hooks are told the flag, the provider and what came of it
    Given a hook "invocation" of the invocation
    When the boolean flag "yes" is evaluated for "ada" with the default false
    Then the hook was told the flag "yes" of the type "BOOLEAN", the default false and the provider "flagstone"
    And the details in the hook have the value true, the variant "1", the reason "FALLTHROUGH" and no error

  @4.3.7 @4.3.8
  Scenario Outline: Where an evaluation fails, error takes the place of after
    Given a hook "invocation" of the invocation
    When the boolean flag "<flag>" is evaluated for "ada" with the default false
    Then the hooks ran in the order
      """
      invocation before
      invocation error
      invocation finally
      """
    And the details in the hook have the value false, no variant, the reason "ERROR" and the error <code>

    Examples:
      | flag     | code           |
      | missing  | FLAG_NOT_FOUND |
      | greeting | TYPE_MISMATCH  |

  @4.4.5 @4.4.6 @4.4.7
  Scenario: What a hook raises before the evaluation makes it the default
    Given a hook "api" of the api
    And a hook "client" of the client that raises in "before"
    And a hook "invocation" of the invocation
    When the boolean flag "yes" is evaluated for "ada" with the default false
    Then the value is false
    And the error is GENERAL, with the reason "ERROR" and no variant
    And the hooks ran in the order
      """
      api before
      client before
      invocation error
      client error
      api error
      invocation finally
      client finally
      api finally
      """

  @4.4.3
  Scenario: What a hook raises at the end harms neither the value nor other hooks
    Given a hook "client" of the client
    And a hook "invocation" of the invocation that raises in "finally"
    When the boolean flag "yes" is evaluated for "ada" with the default false
    Then the value is true
    And there is no error
    And the hook "client" ran at the end

  @4.5.1 @4.5.2
  Scenario: Hints of the invocation reach its hooks
    Given a hook "invocation" of the invocation
    And the hints {"team": "red"}
    When the boolean flag "yes" is evaluated for "ada" with the default false
    Then the hook was told the hints {"team": "red"}

  @4.1.5 @4.3.2 @4.6.1
  Scenario: What a hook notes for itself goes with it from stage to stage
    Given a hook "invocation" of the invocation
    When the boolean flag "yes" is evaluated for "ada" with the default false
    Then the hook has noted "before" for itself
