// The constants of include/flagstone.h that are compared with; those that become public enumerations are theirs. A test
// compares all with the header.
namespace Flagstone.Interop;

internal static class NativeCodes
{
    internal const int AbiMajor = 1;
    internal const int AbiMinor = 5;

    internal const int StatusOk = 0;
    internal const int StatusTimeout = 1;
    internal const int StatusInvalidArgument = 2;
    internal const int StatusNullArgument = 3;
    internal const int StatusBadUtf8 = 4;
    internal const int StatusBadJson = 5;
    internal const int StatusNotFound = 6;
    internal const int StatusNotReady = 7;
    internal const int StatusClosed = 8;
    internal const int StatusStore = 10;
    internal const int StatusAbiMismatch = 13;

    internal const int TypeNone = 0;
    internal const int TypeBool = 1;
    internal const int TypeNumber = 2;
    internal const int TypeString = 3;
    internal const int TypeJson = 4;

    internal const int KindFlag = 0;
    internal const int KindSegment = 1;

    internal const int NotificationLog = 0;
    internal const int NotificationStatus = 1;
    internal const int NotificationFlagChanged = 2;
    internal const int NotificationBigSegments = 3;
    internal const int NotificationValueChanged = 5;
    internal const int NotificationCredentials = 6;

    internal const uint SubscribeFlagChanges = 1;

    internal const uint AskReason = 1;

    internal const int LevelDebug = 0;
    internal const int LevelInfo = 1;
    internal const int LevelWarn = 2;
    internal const int LevelError = 3;

    internal const uint DetailDefaulted = 1;
    internal const uint DetailInExperiment = 2;
    internal const uint DetailStale = 4;
}
