// The names under which a program listens to what this library measures and tells.
namespace Flagstone;

/// <summary>Names of the library's meter and source of activities, for example for OpenTelemetry's <c>AddMeter</c>.</summary>
public static class FlagstoneTelemetry
{
    /// <summary>The meter of <see cref="TelemetryPlugin"/>.</summary>
    public const string MeterName = "Flagstone";

    /// <summary>The source of activities, which <c>Flagstone.Extensions.Hosting</c> writes: the start of a client.</summary>
    public const string ActivitySourceName = "Flagstone";
}
