// One Redis for all tests that do not disturb it; each works under a prefix of its own.
using Flagstone.Tests.Support;
using Xunit;

[assembly: AssemblyFixture(typeof(RedisServer))]
[assembly: System.CLSCompliant(false)]

namespace Flagstone.Tests;

/// <summary>Tests that measure the process: they run alone, after all others.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class Alone
{
    /// <summary>For <c>[Collection]</c>.</summary>
    public const string Name = "alone";
}
